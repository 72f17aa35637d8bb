//! The lines of a settings file: `KEY=VALUE` and `export KEY=VALUE`, read as a shell would read them and
//! never executed. Which file, and what becomes of the values, is left to the module above.

/// Tells the value of a variable that is set.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The value of an assignment's right-hand side: `'verbatim'`, `"expanded"` and bare pieces side by side.
pub(super) fn evaluate(text: &str, get: Lookup<'_>) -> Result<String, String> {
    let mut value = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, after) = match first {
            '\'' | '"' => {
                let inner = &rest[1..];
                let end = inner
                    .find(first)
                    .ok_or_else(|| format!("the quote {first} is not closed"))?;
                (&inner[..end], &inner[end + 1..])
            }
            c if c.is_whitespace() => {
                let trailing = rest.trim_start();
                if trailing.is_empty() || trailing.starts_with('#') {
                    break;
                }
                return Err(format!(
                    "{trailing:?} follows the value; quote values that have blanks"
                ));
            }
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || c == '\'' || c == '"')
                    .unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        if first == '\'' {
            value.push_str(piece);
        } else if piece.contains("$(") || piece.contains('`') {
            return Err(format!(
                "{piece:?} would run a command; only values are accepted"
            ));
        } else {
            value.push_str(&expand(piece, get)?);
        }
        rest = after;
    }
    Ok(value)
}

/// Replaces `$NAME`, `${NAME}` and `${NAME:-default}`, whose default may hold further references:
/// the published configurations write `${CRDS_PATH:-${HOME}/crds_cache}`.
fn expand(piece: &str, get: Lookup<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(piece.len());
    let mut rest = piece;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, default, after) = reference(after)
            .ok_or_else(|| format!("{piece:?} has a $ that starts no reference"))?;
        match (get(name), default) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(&expand(default, get)?),
            (None, None) => {
                return Err(format!(
                    "{name} is not set; write ${{{name}:-default}} to allow that"
                ));
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Splits what follows a `$` into name, default and rest.
///
/// Each level of nesting takes at least four characters of a line that is itself bounded, and a
/// default is only expanded where its variable is unset, so the recursion above stays shallow.
fn reference(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let name_end = |text: &str| {
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(text.len())
    };
    let Some(braced) = text.strip_prefix('{') else {
        let (name, rest) = text.split_at(name_end(text));
        return (!name.is_empty()).then_some((name, None, rest));
    };
    let mut depth = 1_usize;
    let close = braced.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })?;
    let (inside, rest) = (&braced[..close], &braced[close + 1..]);
    let (name, tail) = inside.split_at(name_end(inside));
    if name.is_empty() {
        return None;
    }
    if tail.is_empty() {
        return Some((name, None, rest));
    }
    Some((name, Some(tail.strip_prefix(":-")?), rest))
}

/// What a line asks for.
pub(super) enum Statement<'a> {
    /// A blank line, a comment, a script's first line.
    Nothing,
    /// A variable is set.
    Assignment {
        /// The variable.
        key: &'a str,
        /// The right-hand side.
        text: &'a str,
    },
    /// Another configuration is read.
    Source {
        /// Which.
        text: &'a str,
    },
}

/// What a line asks for.
pub(super) fn statement(line: &str) -> Result<Statement<'_>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Statement::Nothing);
    }
    if let Some(text) = ["source ", ". "]
        .iter()
        .find_map(|word| line.strip_prefix(word))
    {
        let text = text.trim_start();
        return Ok(Statement::Source { text });
    }
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (key, value) = line
        .split_once('=')
        .ok_or_else(|| format!("{line:?} is not an assignment"))?;
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if key.is_empty() || !key.chars().all(name) || key.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("{key:?} is not the name of a variable"));
    }
    Ok(Statement::Assignment { key, text: value })
}

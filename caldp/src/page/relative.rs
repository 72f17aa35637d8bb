//! The way from a page on disk to what it links to.

use std::path::{Component, Path, PathBuf};

/// The path from one directory to another, with a slash at its end; none for names that no link can have.
pub(super) fn path(from: &Path, to: &Path) -> Option<String> {
    let (from, to) = (resolved(from), resolved(to));
    let common = from.components().zip(to.components());
    let common = common.take_while(|(a, b)| a == b).count();
    let up = from
        .components()
        .skip(common)
        .map(|_| Some("..".to_owned()));
    let down = to.components().skip(common).map(|part| match part {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    });
    let parts: Vec<String> = up.chain(down).collect::<Option<_>>()?;
    Some(parts.join("/") + "/")
}

/// A path without links in the part of it that is there.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in absolute.ancestors() {
        if let (Ok(there), Ok(rest)) = (above.canonicalize(), absolute.strip_prefix(above)) {
            return there.join(rest);
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_up_and_down() {
        let between = |from: &str, to: &str| path(Path::new(from), Path::new(to));
        assert_eq!(
            between("/nowhere/web/spring", "/nowhere/out").as_deref(),
            Some("../../out/")
        );
        assert_eq!(
            between("/nowhere/out/blackboard/x", "/nowhere/out").as_deref(),
            Some("../../")
        );
        assert_eq!(
            between("/nowhere/web", "/nowhere/b c").as_deref(),
            Some("../b c/")
        );
    }
}

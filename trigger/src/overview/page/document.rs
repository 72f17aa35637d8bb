//! The file of a page: the template with its style, script and data, and the policy that lets it have nothing else.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const TEMPLATE: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");
/// In the order in which one uses the other.
const SCRIPT: &str = concat!(
    include_str!("assets/elements.js"),
    include_str!("assets/words.js"),
    include_str!("assets/rows.js"),
    include_str!("assets/charts.js"),
    include_str!("assets/table.js"),
    include_str!("assets/details.js"),
    include_str!("assets/gallery.js"),
    include_str!("assets/batch.js"),
    include_str!("assets/batches.js"),
    include_str!("assets/start.js"),
);

/// A page with a title and the data that its script shows.
pub(super) fn with_data(title: &str, data: &Value) -> String {
    let policy = format!(
        "default-src 'none'; img-src 'self'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let parts = [
        ("{{policy}}", policy.as_str()),
        ("{{title}}", &in_markup(title)),
        ("{{style}}", STYLE),
        ("{{data}}", &in_script(data)),
        ("{{script}}", SCRIPT),
    ];
    // each part once and from the front, so that nothing inserted is taken for a mark
    let mut page = String::with_capacity(TEMPLATE.len() + SCRIPT.len());
    let mut rest = TEMPLATE;
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// What a Content-Security-Policy calls an inline style or script by.
fn hash(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(digest(&SHA256, text.as_bytes()))
    )
}

fn in_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// JSON that no text in it can end early: such characters are only in texts, where they may be written by number.
fn in_script(data: &Value) -> String {
    let mut escaped = String::new();
    for character in data.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_data_and_every_part_is_in_its_place() {
        let hostile = "</script><script>alert(1)</script> {{script}} <!-- \u{2028} &";
        let data = serde_json::json!({"text": hostile});
        let page = with_data("a <b> & {{style}}", &data);
        assert_eq!(page.matches("<script").count(), 2, "{page}");
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("<title>a &lt;b> &amp; {{style}}</title>"));
        let json = page
            .split_once("application/json\">")
            .and_then(|(_, rest)| rest.split_once("</script>"));
        let back: Option<Value> = json.and_then(|(json, _)| serde_json::from_str(json).ok());
        assert_eq!(back, Some(data));
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
        assert!(page.trim_end().ends_with("</html>"));
    }

    #[test]
    fn the_script_makes_no_markup_of_texts_and_no_request() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "fetch(",
            "http:",
            "https:",
        ] {
            // the name of the namespace of SVG is no request
            let script = SCRIPT.replace("http://www.w3.org/2000/svg", "");
            assert!(!script.contains(word), "{word}");
        }
    }
}

//! The environment of a run as it may be shown: values of secret-looking variables masked.

/// A variable whose name contains one of these holds something nobody should read in a log.
const SECRET_PARTS: [&str; 8] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "CREDENTIAL",
    "PRIVATE",
    "ACCESS_KEY",
    "API_KEY",
];

/// What stands in place of a secret.
const MASK: &str = "(masked)";

/// The value of a variable as it may be logged.
///
/// Secrets are known by the variable's name; a URL's user information is masked wherever it is.
pub fn masked(name: &str, value: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if SECRET_PARTS.iter().any(|part| upper.contains(part)) {
        return MASK.to_owned();
    }
    without_user_information(value)
}

/// `scheme://user:password@host` without what stands before the `@`.
fn without_user_information(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after
            .find(|c: char| c == '/' || c.is_whitespace())
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                out.push_str(MASK);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_by_name_and_in_urls() {
        for (name, value, shown) in [
            ("AWS_SECRET_ACCESS_KEY", "abc", MASK),
            ("MAST_API_TOKEN", "abc", MASK),
            ("aws_session_token", "abc", MASK),
            ("DB_PASSWORD", "abc", MASK),
            ("CRDS_PATH", "/grp/crds/cache", "/grp/crds/cache"),
            (
                "HTTPS_PROXY",
                "http://me:pw@proxy:3128/x http://a@b",
                "http://(masked)@proxy:3128/x http://(masked)@b",
            ),
        ] {
            assert_eq!(masked(name, value), shown, "{name}");
        }
    }
}

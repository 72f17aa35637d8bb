//! Which versions of the programs made the products: what they wrote into the products' headers.

use super::recipe::Recipe;
use std::collections::BTreeMap;
use std::path::Path;

/// The versions of a recipe's programs by their names, from `products` in `folder`. A program that
/// left no word of its version in any of them is missing.
pub fn versions(
    recipe: &Recipe,
    folder: &Path,
    products: &[String],
) -> BTreeMap<&'static str, String> {
    let mut versions = BTreeMap::new();
    let is_made = |name: &&String| {
        !recipe.raw_files.includes(name) && Path::new(name).extension() == Some("fits".as_ref())
    };
    for name in products.iter().filter(is_made) {
        let Ok(header) = fits::read_header(&folder.join(name), 0) else {
            continue;
        };
        for command in recipe.commands() {
            let version = header.text(command.version_keyword).unwrap_or("").trim();
            if !version.is_empty() {
                versions
                    .entry(command.program)
                    .or_insert_with(|| version.to_owned());
            }
        }
        if versions.len() == recipe.commands().count() {
            break;
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use caldp_tests::fits_sample::{card, header};

    #[test]
    fn a_version_is_what_a_product_says_and_no_raw_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, cards: &[(&str, &str)]| {
            let mut all = ["SIMPLE", "BITPIX", "NAXIS"]
                .iter()
                .zip(["T", "8", "0"])
                .map(|(keyword, value)| card(keyword, value))
                .collect::<Vec<_>>();
            let texts = cards.iter();
            all.extend(texts.map(|(keyword, value)| card(keyword, &format!("'{value}'"))));
            std::fs::write(folder.path().join(name), header(&all)).unwrap();
            name.to_owned()
        };
        let products = [
            write("j8cb01u2q_raw.fits", &[("CAL_VER", "old")]),
            write("j8cb01u2q_flt.fits", &[("CAL_VER", "10.4.0 (01-Jan-2025)")]),
            write(
                "j8cb01u2q_drz.fits",
                &[("CAL_VER", " "), ("D001VER", "3.11.0")],
            ),
        ];
        let recipe = Recipe::of(&"j8cb01u2q".parse().unwrap());
        let found = versions(recipe, folder.path(), &products);
        let expected = [
            ("calacs.e", "10.4.0 (01-Jan-2025)"),
            ("runastrodriz", "3.11.0"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k, v.to_owned())).into());
        assert!(versions(recipe, folder.path(), &products[..1]).is_empty());
    }
}

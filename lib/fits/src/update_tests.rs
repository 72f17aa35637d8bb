#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;

fn file_of(cards: &[&str], rest: &[u8]) -> Vec<u8> {
    let start = ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"];
    let cards = start.iter().chain(cards).chain(&["END"]);
    let mut bytes: Vec<u8> = cards
        .flat_map(|card| format!("{card:80}").into_bytes())
        .collect();
    bytes.resize(bytes.len().next_multiple_of(BLOCK), b' ');
    bytes.extend_from_slice(rest);
    bytes
}

/// The cards after `NAXIS`, and what follows the header, after the updates.
fn updated(file: &[u8], updates: &[CardUpdate]) -> (Vec<String>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fits");
    fs::write(&path, file).unwrap();
    let first = update_primary(&path, updates).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(first.changed, bytes != file);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let inode = fs::metadata(&path).unwrap().ino();
    assert!(!update_primary(&path, updates).unwrap().changed);
    assert_eq!(inode, fs::metadata(&path).unwrap().ino());
    let text: Vec<String> = bytes
        .chunks(80)
        .map(|card| String::from_utf8_lossy(card).trim_end().to_owned())
        .collect();
    let end = text.iter().position(|card| card == "END").unwrap();
    let rest = bytes[((end + 1) * 80).next_multiple_of(BLOCK)..].to_vec();
    (text[3..end].to_vec(), rest)
}

#[test]
fn a_header_whose_last_block_is_not_filled_is_updated() {
    let file = file_of(&["A       = 1"], b"");
    let (cards, rest) = updated(&file[..5 * 80], &[CardUpdate::integer("A", 2)]);
    assert_eq!(cards, ["A       =                    2"]);
    assert!(rest.is_empty());
}

#[test]
fn values_change_in_place_and_new_cards_stand_before_the_comments() {
    let before = [
        "BIASFILE= 'N/A     '           / a comment",
        "DARKFILE= '' / long value",
        "SAME    =   'x' / odd look stays",
        "BIASFILE= 'second'",
        "HISTORY one",
        "",
        "        / TITLE",
        "",
    ];
    let updates = [
        CardUpdate::text("BIASFILE", "jref$a_bia.fits"),
        CardUpdate::text("DARKFILE", "jref$123456789_drk.fits"),
        CardUpdate::text("SAME", "x"),
        CardUpdate::text("CRDS_CTX", "hst_0001.pmap"),
        CardUpdate::integer("RANDSEED", 1),
    ];
    let (cards, rest) = updated(&file_of(&before, b"data"), &updates);
    assert_eq!(
        cards,
        [
            "BIASFILE= 'jref$a_bia.fits'    / a comment",
            "DARKFILE= 'jref$123456789_drk.fits' / long value",
            "SAME    =   'x' / odd look stays",
            "BIASFILE= 'second'",
            "CRDS_CTX= 'hst_0001.pmap'",
            "RANDSEED=                    1",
            "HISTORY one",
            "",
            "        / TITLE",
        ]
    );
    assert_eq!(rest, b"data");
}

#[test]
fn odd_cards_of_the_same_name_give_way() {
    let before = [
        "VALUE   =",
        "TYPE    =                  1.0 / was a float",
        "BROKEN    'no equals sign'",
        "LONG    = 'begins &'",
        "CONTINUE  'goes on' / comment of it",
    ];
    let updates = [
        CardUpdate::text("VALUE", "v"),
        CardUpdate::integer("TYPE", 1),
        CardUpdate::text("BROKEN", "b"),
        CardUpdate::text("LONG", "short"),
    ];
    let (cards, _) = updated(&file_of(&before, b""), &updates);
    assert_eq!(
        cards,
        [
            "VALUE   = 'v       '",
            "TYPE    =                    1 / was a float",
            "BROKEN  = 'b       '",
            "LONG    = 'short   '           / comment of it",
        ]
    );
}

#[test]
fn the_header_grows_by_blocks_and_moves_what_follows() {
    // 36 cards in a block: three mandatory ones, END, and 32 more fill it.
    let cards = vec!["COMMENT x"; 32];
    let file = file_of(&cards, &[7; 2880]);
    assert_eq!(file.len(), 2 * BLOCK);
    let (cards, rest) = updated(&file, &[CardUpdate::text("A", "b")]);
    assert_eq!((cards.len(), rest), (33, vec![7; 2880]));
}

#[test]
fn links_and_permissions_survive() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("x.fits"), folder.path().join("link"));
    fs::write(&path, file_of(&[], b"")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    update_primary(&link, &[CardUpdate::integer("A", 1)]).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    assert!(
        fs::read(&path)
            .unwrap()
            .windows(11)
            .any(|part| part == b"A       =  ")
    );
}

#[test]
fn checksums_are_made_right() {
    let checksum = |file: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.fits");
        fs::write(&path, file).unwrap();
        let outcome = update_primary(&path, &[CardUpdate::text("A", "b")]).unwrap();
        (outcome.checksum, fs::read(&path).unwrap())
    };
    let unit = |sum: &str, data: &[u8]| {
        let card = format!("CHECKSUM= '{sum}' / kept");
        let mut file = file_of(&["A       = 'a'", &card], data);
        let axis = format!("{:80}{:80}", "NAXIS   = 1", "NAXIS1  = 5");
        file.splice(160..240, axis.into_bytes());
        file.drain(BLOCK..BLOCK + 80);
        file
    };
    let mut data = b"12345".to_vec();
    data.resize(BLOCK, 0);
    let (state, right) = checksum(&unit("wrongwrongwrong1", &data));
    assert_eq!(state, ChecksumState::WasWrong);
    assert!(Sum::default().add(&right).is_zero());
    assert!(right.windows(6).any(|part| part == b"/ kept"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fits");
    fs::write(&path, &right).unwrap();
    let outcome = update_primary(&path, &[CardUpdate::text("A", "c")]).unwrap();
    assert_eq!(outcome.checksum, ChecksumState::Right);
    assert!(Sum::default().add(&fs::read(&path).unwrap()).is_zero());

    let (state, _) = checksum(&unit("", &data));
    assert_eq!(state, ChecksumState::NotLookedAt);
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_touched() {
    let refused = |update: CardUpdate| {
        let error = update_primary(Path::new("does-not-exist"), &[update]).unwrap_err();
        assert!(
            matches!(error.problem, FitsProblem::Unwritable { .. }),
            "{error}"
        );
    };
    for keyword in [
        "",
        "lower",
        "TOOLONGKEY",
        "A B",
        "END",
        "COMMENT",
        "CHECKSUM",
    ] {
        refused(CardUpdate::text(keyword, "x"));
    }
    refused(CardUpdate::text("A", "x".repeat(69)));
    refused(CardUpdate::text("A", "é"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fits");
    fs::write(&path, "text").unwrap();
    let error = update_primary(&path, &[CardUpdate::text("A", "x")]).unwrap_err();
    assert!(matches!(error.problem, FitsProblem::NotFits), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"text");
}

fn any_card() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z][A-Z0-9]{0,7}".prop_map(|keyword| format!("{keyword:8}= 'old'")),
        "[A-Z]{1,2}".prop_map(|keyword| format!("{keyword:8}=                   12 / c")),
        Just("COMMENT c".to_owned()),
        Just("HISTORY h".to_owned()),
        Just(String::new()),
        "HIERARCH [a-z]{3} = 1",
        "[ -~]{0,80}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_header_survives(
        cards in proptest::collection::vec(any_card(), 0..80),
        data in proptest::collection::vec(any::<u8>(), 0..6000),
        updates in proptest::collection::btree_map("[A-Z]{1,2}", "[ -~]{0,30}", 1..12),
    ) {
        let cards: Vec<&str> = cards
            .iter()
            .map(String::as_str)
            .filter(|card| !card.starts_with("END") && !card.starts_with("CONTINUE"))
            .collect();
        let updates: Vec<CardUpdate> = updates
            .into_iter()
            .map(|(keyword, value)| CardUpdate::text(keyword, value))
            .collect();
        let (after, rest) = updated(&file_of(&cards, &data), &updates);
        prop_assert_eq!(rest, data);
        let names = |update: &CardUpdate| {
            let keyword = |card: &String| card.split('=').next().unwrap().trim().to_uppercase();
            after.iter().filter(|card| keyword(card) == update.keyword).count()
        };
        prop_assert!(updates.iter().all(|update| names(update) >= 1), "{:?}", after);
        let untouched = cards.iter().filter(|card| {
            let upper = card.to_uppercase();
            !card.trim().is_empty()
                && !updates.iter().any(|update| upper.trim_start().starts_with(&update.keyword))
        });
        for card in untouched {
            prop_assert!(after.iter().any(|kept| kept == card.trim_end()), "{:?} lost", card);
        }
    }
}

//! FITS files built byte by byte for tests.

/// A header with these cards and `END`, in whole blocks.
pub fn header<C: AsRef<str>>(cards: &[C]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for card in cards.iter().map(AsRef::as_ref).chain(["END"]) {
        bytes.extend_from_slice(format!("{card:<80}").as_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes
}

/// A card without a comment, unpadded.
pub fn card(keyword: &str, value: &str) -> String {
    format!("{keyword:<8}= {value}")
}

/// A column: name, format, more cards.
pub type Column<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// A primary header and one table with these columns.
pub fn file(columns: &[Column], rows: usize, data: &[u8]) -> Vec<u8> {
    let mut bytes = header(&[
        card("SIMPLE", "T"),
        card("BITPIX", "8"),
        card("NAXIS", "0"),
        card("ROOTNAME", "'it''s   '  / a comment"),
        card("EXPTIME", "1.5D2 / seconds"),
        card("FLATCORR", "'PERFORM '"),
    ]);
    let mut cards = vec![
        card("XTENSION", "'BINTABLE'"),
        card("BITPIX", "8"),
        card("NAXIS", "2"),
        card("NAXIS1", &(data.len() / rows).to_string()),
        card("NAXIS2", &rows.to_string()),
        card("PCOUNT", "0"),
        card("GCOUNT", "1"),
        card("TFIELDS", &columns.len().to_string()),
    ];
    for (number, (name, form, extra)) in columns.iter().enumerate() {
        let number = number + 1;
        cards.push(card(&format!("TTYPE{number}"), &format!("'{name}'")));
        cards.push(card(&format!("TFORM{number}"), &format!("'{form}'")));
        for (key, value) in *extra {
            cards.push(card(&format!("{key}{number}"), value));
        }
    }
    bytes.extend(header(&cards));
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

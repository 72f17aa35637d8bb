//! What is said to MAST's services and what they answer ("MAST API", services
//! `Mast.Caom.Filtered` and `Mast.Caom.Products`). Requests are written and answers read here;
//! sending, waiting and reading every page is left to the client.
//!
//! An answer is foreign: its size is bounded by the client before it is read, its depth by
//! `serde_json`, columns that are not needed are skipped, and numbers that come as text or as
//! floats are taken for what they mean.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize};

use crate::membership::file_name::quoted;

/// Rows in one page of an answer.
pub(super) const PAGE_SIZE: u32 = 50_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    /// The observation of exactly this name.
    Observation(String),
    /// The observations whose names begin so.
    Observations(String),
    /// The products of these observations.
    Products(Vec<ObsId>),
}

/// The number of an observation in the archive's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObsId(u64);

/// One page of a query as the `request` field of the form.
pub(super) fn request(query: &Query, page: u32) -> String {
    #[derive(Serialize)]
    struct PageRequest<'a> {
        service: &'a str,
        params: Params<'a>,
        format: &'a str,
        pagesize: u32,
        page: u32,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Params<'a> {
        Filtered {
            columns: &'a str,
            filters: [Filter<'a>; 1],
        },
        Products {
            obsid: String,
        },
    }
    #[derive(Serialize)]
    struct Filter<'a> {
        #[serde(rename = "paramName")]
        name: &'a str,
        values: Vec<&'a str>,
        #[serde(rename = "freeText", skip_serializing_if = "Option::is_none")]
        free_text: Option<String>,
    }
    let filtered = |values, free_text| {
        let filter = Filter {
            name: "obs_id",
            values,
            free_text,
        };
        let params = Params::Filtered {
            columns: "*",
            filters: [filter],
        };
        ("Mast.Caom.Filtered", params)
    };
    let (service, params) = match query {
        Query::Observation(name) => filtered(vec![name], None),
        Query::Observations(prefix) => filtered(vec![], Some(format!("{prefix}%"))),
        Query::Products(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| id.0.to_string()).collect();
            let obsid = ids.join(",");
            ("Mast.Caom.Products", Params::Products { obsid })
        }
    };
    let request = PageRequest {
        service,
        params,
        format: "json",
        pagesize: PAGE_SIZE,
        page,
    };
    serde_json::to_string(&request).expect("texts and numbers always serialize")
}

/// A service's answer.
#[derive(Debug, PartialEq)]
pub(super) enum Answer<R> {
    /// A page of rows.
    Page(Page<R>),
    /// Not ready: ask again.
    Executing,
    /// The service failed, in the words of the service.
    Error(String),
}

/// One page of rows.
#[derive(Debug, PartialEq)]
pub(super) struct Page<R> {
    /// The rows.
    pub(super) rows: Vec<R>,
    /// The page's number, from 1, if the answer says so.
    pub(super) number: Option<u64>,
    /// How many pages there are; 1 when the answer does not say.
    pub(super) pages: u64,
    /// How many rows all pages have together, if the answer says so.
    pub(super) total: Option<u64>,
    /// How many bytes the answer had.
    pub(super) bytes: usize,
}

/// A row of `Mast.Caom.Filtered`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ObservationRow {
    /// The observation's number.
    #[serde(deserialize_with = "number")]
    obsid: Option<u64>,
    /// Its name, in any case.
    pub(super) obs_id: String,
    /// The collection it belongs to, such as `HST` or `HLA`.
    #[serde(default)]
    pub(super) obs_collection: Option<String>,
}

impl ObservationRow {
    /// The number with which products are asked for; none when the row has nothing usable.
    pub(super) fn id(&self) -> Option<ObsId> {
        self.obsid.map(ObsId)
    }
}

/// A row of `Mast.Caom.Products`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub(super) struct ProductRow {
    /// The file's name, unchecked.
    #[serde(default, rename = "productFilename")]
    pub(super) file: Option<String>,
    /// The suffix in capitals, such as `RAW`.
    #[serde(default, rename = "productSubGroupDescription")]
    pub(super) suffix: Option<String>,
    /// What it is, in words; begins with the pipeline that made it.
    #[serde(default)]
    pub(super) description: Option<String>,
    /// The collection it belongs to.
    #[serde(default)]
    pub(super) obs_collection: Option<String>,
    /// The file's size in bytes.
    #[serde(default, deserialize_with = "number")]
    pub(super) size: Option<u64>,
}

/// Why an answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the answer is not what MAST's documentation describes: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the answer has the unknown status {0}")]
    Status(String),
    #[error("the answer has no rows, not even none")]
    NoData,
}

/// Reads an answer.
pub(super) fn answer<R: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<Answer<R>, AnswerError> {
    // The status decides what the rest may look like, so it is read first and alone.
    #[derive(Deserialize)]
    struct Head {
        status: String,
        #[serde(default)]
        msg: Option<String>,
    }
    #[derive(Deserialize)]
    struct Body<R> {
        data: Option<Vec<R>>,
        #[serde(default)]
        paging: Option<Paging>,
    }
    #[derive(Deserialize, Default)]
    struct Paging {
        #[serde(default, deserialize_with = "number")]
        page: Option<u64>,
        #[serde(default, rename = "pagesFiltered", deserialize_with = "number")]
        pages: Option<u64>,
        #[serde(default, rename = "rowsFiltered", deserialize_with = "number")]
        rows: Option<u64>,
    }
    let head: Head = serde_json::from_slice(bytes)?;
    match head.status.as_str() {
        "COMPLETE" => {
            let body: Body<R> = serde_json::from_slice(bytes)?;
            let paging = body.paging.unwrap_or_default();
            Ok(Answer::Page(Page {
                rows: body.data.ok_or(AnswerError::NoData)?,
                number: paging.page,
                pages: paging.pages.unwrap_or(1).max(1),
                total: paging.rows,
                bytes: bytes.len(),
            }))
        }
        "EXECUTING" => Ok(Answer::Executing),
        "ERROR" => Ok(Answer::Error(quoted(&head.msg.unwrap_or_default()))),
        other => Err(AnswerError::Status(quoted(other))),
    }
}

/// A count that may come as a number, as text, or not at all; what is no count is none.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Number;
    impl<'de> Visitor<'de> for Number {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value))
        }

        fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
            Ok(u64::try_from(value).ok())
        }

        fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
            const EXACT: f64 = 9_007_199_254_740_992.0;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, not negative and below 2^53"
            )]
            let whole =
                (value.fract() == 0.0 && (0.0..EXACT).contains(&value)).then_some(value as u64);
            Ok(whole)
        }

        fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
            Ok(value.parse().ok())
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(None)
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut seq: A,
        ) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(None)
        }
    }
    deserializer.deserialize_any(Number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn products(text: &str) -> Result<Answer<ProductRow>, AnswerError> {
        answer(text.as_bytes())
    }

    #[test]
    fn requests_are_written_as_documented() {
        assert_eq!(
            request(&Query::Observation("j8cb010b0".to_owned()), 1),
            r#"{"service":"Mast.Caom.Filtered","params":{"columns":"*","filters":[{"paramName":"obs_id","values":["j8cb010b0"]}]},"format":"json","pagesize":50000,"page":1}"#
        );
        assert_eq!(
            request(&Query::Observations("j8cb01".to_owned()), 2),
            r#"{"service":"Mast.Caom.Filtered","params":{"columns":"*","filters":[{"paramName":"obs_id","values":[],"freeText":"j8cb01%"}]},"format":"json","pagesize":50000,"page":2}"#
        );
        assert_eq!(
            request(&Query::Products(vec![ObsId(2_003_738_726), ObsId(7)]), 1),
            r#"{"service":"Mast.Caom.Products","params":{"obsid":"2003738726,7"},"format":"json","pagesize":50000,"page":1}"#
        );
    }

    #[test]
    fn a_page_has_its_rows_and_its_place_among_the_pages() {
        let text = r#"{"status":"COMPLETE","msg":"","fields":[{"name":"size","type":"int"}],"data":[
            {"obsID":"2","productFilename":"x_raw.fits","productSubGroupDescription":"RAW","size":2880,"extra":[{}]}],
            "paging":{"page":2,"pageSize":1,"pagesFiltered":3,"rows":1,"rowsFiltered":3,"rowsTotal":3}}"#;
        let Answer::Page(page) = products(text).unwrap() else {
            panic!("not a page");
        };
        assert_eq!((page.number, page.pages, page.total), (Some(2), 3, Some(3)));
        let row = &page.rows[0];
        assert_eq!(row.file.as_deref(), Some("x_raw.fits"));
        assert_eq!((row.suffix.as_deref(), row.size), (Some("RAW"), Some(2880)));
    }

    #[test]
    fn without_paging_there_is_one_page() {
        let Answer::Page(page) = products(r#"{"status":"COMPLETE","data":[]}"#).unwrap() else {
            panic!("not a page");
        };
        assert_eq!((page.pages, page.total), (1, None));
    }

    #[test]
    fn other_states_do_not_depend_on_what_else_is_there() {
        assert_eq!(
            products(r#"{"status":"EXECUTING","data":{"x":[]}}"#).unwrap(),
            Answer::Executing
        );
        assert_eq!(
            products(r#"{"status":"ERROR","msg":"no\nway","data":7}"#).unwrap(),
            Answer::Error(r#""no\nway""#.to_owned())
        );
    }

    #[test]
    fn answers_that_are_none_are_errors() {
        for text in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"status":"DONE"}"#,
            r#"{"status":"COMPLETE"}"#,
            r#"{"status":"COMPLETE","data":null}"#,
            r#"{"status":"COMPLETE","data":{}}"#,
            r#"{"status":"COMPLETE","data":[7]}"#,
            r#"{"status":"COMPLETE","data":[{"productFilename":7}]}"#,
            &format!(r#"{{"status":"COMPLETE","data":{}"#, "[".repeat(100_000)),
            &format!(
                r#"{{"status":"COMPLETE","x":{}"#,
                r#"{"a":"#.repeat(100_000)
            ),
        ] {
            assert!(products(text).is_err(), "{text:.60}");
        }
    }

    #[test]
    fn numbers_come_in_every_shape() {
        for (text, value) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("\"5\"", Some(5)),
            ("null", None),
            ("-5", None),
            ("5.5", None),
            ("1e300", None),
            ("\"x\"", None),
            ("[1,{}]", None),
            ("{\"a\":1}", None),
            ("true", None),
        ] {
            let text = format!(r#"{{"status":"COMPLETE","data":[{{"size":{text}}}]}}"#);
            let Answer::Page(page) = products(&text).unwrap() else {
                panic!("not a page");
            };
            assert_eq!(page.rows[0].size, value, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), tail in ".{0,40}") {
            let _ = answer::<ProductRow>(&bytes);
            let _ = products(&format!(r#"{{"status":"COMPLETE","data":[{tail}]}}"#));
        }
    }
}

//! Tables of datasets and runs (CSV with a header): `dataset n_files total_mb drizcorr pctecorr
//! crsplit subarray large_detector`, and for measured runs `memory_gb wallclock_s` and optionally
//! `vcpus`; for lists of what is to be run `why`. Columns come in any order, each but `dataset` may be
//! missing, others are passed over; an empty field, `NaN` or `N/A` is one that is not known.

use std::collections::HashMap;
use std::io::Read;

use crate::dataset::Dataset;

use super::GIB_PER_TABLE_GB;
use super::features::Features;
use super::run::{Refusal, Run};
use super::values::{believed_files, believed_mb, known_switch, number};

/// A line of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its number in the file, from 1; the header is line 1.
    pub number: u64,
    /// What its first column that names a dataset holds, cut to a readable length.
    pub name: String,
    /// Why the dataset is in the table; empty where that is not said.
    pub why: String,
    /// The features, or why there are none.
    pub features: Result<Features, Refusal>,
    /// What the run needed, when the line says so: `memory_gb`, `wallclock_s`, `vcpus`.
    measured: [Result<Option<f64>, Refusal>; 3],
}

impl Line {
    /// The run that the line describes, or why it describes none.
    pub fn run(self) -> Result<Run, Refusal> {
        let [peak, seconds, vcpus] = self.measured;
        Ok(Run {
            features: self.features?,
            peak_gib: peak?.ok_or(Refusal::NotMeasured)? * GIB_PER_TABLE_GB,
            seconds: seconds?.ok_or(Refusal::NotMeasured)?,
            vcpus: vcpus?,
        })
    }
}

/// Why a table cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// No column names the datasets.
    #[error("the table has no column \"dataset\"")]
    NoDataset,
    /// The header cannot be read.
    #[error("the table's header cannot be read")]
    Header(#[source] csv::Error),
}

/// The lines of a table, one after the other.
pub struct Table<R> {
    reader: csv::Reader<R>,
    columns: HashMap<String, usize>,
    record: csv::StringRecord,
}

impl<R: Read> Table<R> {
    /// Reads the header.
    pub fn open(reader: R) -> Result<Self, TableError> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(reader);
        let header = reader.headers().map_err(TableError::Header)?;
        let columns: HashMap<String, usize> = header
            .iter()
            .enumerate()
            .map(|(index, name)| {
                (
                    name.trim_start_matches('\u{feff}').to_ascii_lowercase(),
                    index,
                )
            })
            .collect();
        if !columns.contains_key("dataset") {
            return Err(TableError::NoDataset);
        }
        Ok(Self {
            reader,
            columns,
            record: csv::StringRecord::new(),
        })
    }

    fn line(&self, number_of_line: u64) -> Line {
        let field = |column: &str| {
            self.columns
                .get(column)
                .and_then(|index| self.record.get(*index))
                .unwrap_or("")
        };
        let measured =
            |column: &'static str| number(field(column)).map_err(|()| Refusal::Unreadable(column));
        Line {
            number: number_of_line,
            name: field("dataset").chars().take(40).collect(),
            why: field("why").to_owned(),
            features: features(&field),
            measured: ["memory_gb", "wallclock_s", "vcpus"].map(measured),
        }
    }
}

impl<R: Read> Iterator for Table<R> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let number = self.reader.position().line();
        match self.reader.read_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                let number = self.record.position().map_or(number, csv::Position::line);
                Some(self.line(number))
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Io(_)) => None,
            Err(_) => Some(Line {
                number,
                name: String::new(),
                why: String::new(),
                features: Err(Refusal::Line),
                measured: [Ok(None), Ok(None), Ok(None)],
            }),
        }
    }
}

/// The columns that hold features.
pub const FEATURE_COLUMNS: [&str; 7] = [
    "n_files",
    "total_mb",
    "drizcorr",
    "pctecorr",
    "crsplit",
    "subarray",
    "large_detector",
];

/// The features in fields with the names of the columns; an empty text is what is not known.
///
/// # Errors
/// The first field that cannot be read or be true.
pub fn features<'a>(field: &impl Fn(&'static str) -> &'a str) -> Result<Features, Refusal> {
    let number_of = |column| number(field(column)).map_err(|()| Refusal::Unreadable(column));
    let switch_of = |column| known_switch(field(column)).map_err(|()| Refusal::Unreadable(column));
    let count_of = |column| {
        number_of(column)?
            .map(|n| believed_files(n).ok_or(Refusal::Absurd(column)))
            .transpose()
    };
    Ok(Features {
        dataset: Dataset::parse(field("dataset")).map_err(|_| Refusal::Name)?,
        files: count_of("n_files")?,
        input_mb: number_of("total_mb")?
            .map(|mb| believed_mb(mb).ok_or(Refusal::Absurd("total_mb")))
            .transpose()?,
        drizzle: switch_of("drizcorr")?,
        cte: switch_of("pctecorr")?,
        crsplit: count_of("crsplit")?,
        subarray: switch_of("subarray")?,
        large_detector: switch_of("large_detector")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn lines(text: &str) -> Vec<Line> {
        Table::open(text.as_bytes()).unwrap().collect()
    }

    #[test]
    fn columns_come_in_any_order_and_may_be_missing() {
        let all = lines("total_mb,Dataset,pctecorr,other\n9, IEIB04YLQ ,OMIT,x\n,j8cb010b0,,\n");
        let first = all[0].features.clone().unwrap();
        assert_eq!(first.dataset.name(), "ieib04ylq");
        assert_eq!(
            (first.input_mb, first.cte, first.files),
            (Some(9.0), Some(false), None)
        );
        let second = Dataset::parse("j8cb010b0").unwrap();
        assert_eq!(all[1].features, Ok(Features::of_name(second)));
        assert!(matches!(
            Table::open("name\nx\n".as_bytes()),
            Err(TableError::NoDataset)
        ));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_column_and_the_line() {
        let head = "dataset,n_files,total_mb,subarray,memory_gb,wallclock_s\n";
        let refusal = |line: &str| {
            let line = lines(&format!("{head}j8cb010b0,2,10,0,1,9\n{line}\n")).remove(1);
            assert_eq!(line.number, 3);
            let run = line.run();
            run.and_then(|run| run.refusal().map_or(Ok(()), Err))
                .unwrap_err()
        };
        assert_eq!(refusal("nonsense,2,10,0,1,9"), Refusal::Name);
        assert_eq!(
            refusal("j8cb010b0,1e9,10,0,1,9"),
            Refusal::Absurd("n_files")
        );
        assert_eq!(refusal("j8cb010b0,-2,10,0,1,9"), Refusal::Absurd("n_files"));
        assert_eq!(
            refusal("j8cb010b0,2,inf,0,1,9"),
            Refusal::Absurd("total_mb")
        );
        assert_eq!(
            refusal("j8cb010b0,2,10,maybe,1,9"),
            Refusal::Unreadable("subarray")
        );
        assert_eq!(
            refusal("j8cb010b0,2,10,0,-1,9"),
            Refusal::Absurd("memory_gb")
        );
        assert_eq!(
            refusal("j8cb010b0,2,10,0,1,1e99"),
            Refusal::Absurd("wallclock_s")
        );
        assert_eq!(refusal("j8cb010b0,2,10,0,NaN,9"), Refusal::NotMeasured);
        assert_eq!(refusal("j8cb010b0,,10,0,1,9"), Refusal::SizeUnknown);
        assert_eq!(refusal("j8cb010b0,2"), Refusal::NotMeasured);
    }
}

//! HST's special rules: headers changed before a lookup, or for a second one after a failure.
//!
//! Tables name these rules in their header (`hooks`), or get version 1 by their type.

use crate::header::{condition, float_text, python_float};
use crate::selector::LookupFailure;
use crate::selector::date;
use crate::selector::moment::Moment;
use crate::selector::slots::{Slot, Slots, Values};

/// When the second version of ACS's rules begins to look at apertures.
const PRE_SM4_SUBARRAYS: Moment = moment((2002, 3, 30));

/// Servicing Mission 4: ACS headers mean something else before it.
const SM4: Moment = moment((2009, 5, 14));

const fn moment(date: (u32, u32, u32)) -> Moment {
    match Moment::new(date, (0, 0, 0, 0)) {
        Some(moment) => moment,
        None => Moment::NEVER,
    }
}

/// A special rule, bound to the keys of one instrument's rules.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    kind: HookKind,
    keys: Vec<(&'static str, Slot)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HookKind {
    AcsBias(AcsBiasVersion),
    AcsBiasFallback(AcsBiasVersion),
    Wfc3Bias,
    Wfpc2FlatFallback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AcsBiasVersion {
    One,
    Two,
    Three,
}

impl AcsBiasVersion {
    /// The keys that count columns and rows.
    fn size_keys(self) -> [&'static str; 2] {
        match self {
            Self::One => ["NUMCOLS", "NUMROWS"],
            Self::Two | Self::Three => ["NAXIS1", "NAXIS2"],
        }
    }

    fn offset_keys(self) -> [&'static str; 2] {
        match self {
            Self::One | Self::Two => ["LTV1", "LTV2"],
            Self::Three => ["RAW_LTV1", "RAW_LTV2"],
        }
    }
}

/// Why a special rule cannot be applied.
#[derive(Debug)]
pub(crate) enum RuleFailure {
    /// As Python says it, or nearly so.
    Said(Box<str>),
    /// The header's date is none, which is told as it is of types without special rules.
    Date(LookupFailure),
}

impl RuleFailure {
    /// The failure of the lookup that `rule` is part of.
    pub(crate) fn of(self, rule: &'static str) -> LookupFailure {
        match self {
            Self::Said(problem) => LookupFailure::Rule { rule, problem },
            Self::Date(failure) => failure,
        }
    }
}

impl From<String> for RuleFailure {
    fn from(problem: String) -> Self {
        Self::Said(problem.into())
    }
}

impl From<&str> for RuleFailure {
    fn from(problem: &str) -> Self {
        Self::Said(problem.into())
    }
}

impl Hook {
    /// The special rule with this name, if the instrument has it.
    pub(crate) fn new(
        instrument: &str,
        name: &str,
        slots: &mut Slots,
    ) -> Result<Option<Self>, String> {
        let kind = match (instrument, name) {
            ("acs", "precondition_header_acs_biasfile_v1") => {
                HookKind::AcsBias(AcsBiasVersion::One)
            }
            ("acs", "precondition_header_acs_biasfile_v2") => {
                HookKind::AcsBias(AcsBiasVersion::Two)
            }
            ("acs", "precondition_header_acs_biasfile_v3") => {
                HookKind::AcsBias(AcsBiasVersion::Three)
            }
            ("acs", "fallback_header_acs_biasfile_v2") => {
                HookKind::AcsBiasFallback(AcsBiasVersion::Two)
            }
            ("acs", "fallback_header_acs_biasfile_v3") => {
                HookKind::AcsBiasFallback(AcsBiasVersion::Three)
            }
            ("wfc3", "precondition_header_wfc3_biasfile_v1") => HookKind::Wfc3Bias,
            ("wfpc2", "fallback_header_wfpc2_flatfile_v1") => HookKind::Wfpc2FlatFallback,
            _ => return Ok(None),
        };
        let mut names = match kind {
            HookKind::AcsBias(_) | HookKind::AcsBiasFallback(_) => vec![
                "DATE-OBS", "TIME-OBS", "DETECTOR", "APERTURE", "CCDGAIN", "CCDAMP", "XCORNER",
                "YCORNER",
            ],
            HookKind::Wfc3Bias => vec!["SUBARRAY", "APERTURE"],
            HookKind::Wfpc2FlatFallback => vec!["FILTER1", "FILTER2"],
        };
        if let HookKind::AcsBias(version) | HookKind::AcsBiasFallback(version) = kind {
            names.extend(version.size_keys());
            names.extend(version.offset_keys());
        }
        let keys = names
            .into_iter()
            .map(|name| Ok((name, slots.number(name)?)))
            .collect::<Result<_, String>>()?;
        Ok(Some(Self { kind, keys }))
    }

    /// The keys whose values decide what the rule does, the date's aside.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.keys
            .iter()
            .filter(|(name, _)| !matches!(*name, "DATE-OBS" | "TIME-OBS"))
            .map(|(_, slot)| *slot)
    }

    /// The keys of the date the rule looks at, if it does.
    pub(crate) fn date_slots(&self) -> Option<[Slot; 2]> {
        Some([self.find("DATE-OBS")?, self.find("TIME-OBS")?])
    }

    /// Of all dates, only these stretches are told apart.
    pub(crate) fn stretch(date: Moment) -> u16 {
        u16::from(date >= PRE_SM4_SUBARRAYS) + u16::from(date >= SM4)
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            HookKind::AcsBias(AcsBiasVersion::One) => "precondition_header_acs_biasfile_v1",
            HookKind::AcsBias(AcsBiasVersion::Two) => "precondition_header_acs_biasfile_v2",
            HookKind::AcsBias(AcsBiasVersion::Three) => "precondition_header_acs_biasfile_v3",
            HookKind::AcsBiasFallback(AcsBiasVersion::Three) => "fallback_header_acs_biasfile_v3",
            HookKind::AcsBiasFallback(_) => "fallback_header_acs_biasfile_v2",
            HookKind::Wfc3Bias => "precondition_header_wfc3_biasfile_v1",
            HookKind::Wfpc2FlatFallback => "fallback_header_wfpc2_flatfile_v1",
        }
    }

    /// Changes the header as the rule says.
    pub(crate) fn apply(&self, values: &mut Values<'_>) -> Result<(), RuleFailure> {
        match self.kind {
            HookKind::AcsBias(version) => self.acs_bias(version, values),
            HookKind::AcsBiasFallback(version) => self.acs_bias_fallback(version, values),
            HookKind::Wfc3Bias => self.wfc3_bias(values),
            HookKind::Wfpc2FlatFallback => self.wfpc2_flat_fallback(values),
        }
    }

    fn find(&self, key: &str) -> Option<Slot> {
        let found = self.keys.iter().find(|(name, _)| *name == key);
        found.map(|(_, slot)| *slot)
    }

    fn get<'v>(&self, values: &'v Values<'_>, key: &str) -> Option<&'v str> {
        values.get(self.find(key)?)
    }

    /// A value that has to be there; Python's complaint is the key in quotes.
    fn need<'v>(&self, values: &'v Values<'_>, key: &str) -> Result<&'v str, RuleFailure> {
        self.get(values, key)
            .ok_or_else(|| format!("'{key}'").into())
    }

    fn set(&self, values: &mut Values<'_>, key: &str, value: impl Into<String>) {
        if let Some(slot) = self.find(key) {
            values.set(slot, value.into());
        }
    }

    /// When the exposure was.
    fn date(&self, values: &Values<'_>) -> Result<Moment, RuleFailure> {
        const KEYS: [&str; 2] = ["DATE-OBS", "TIME-OBS"];
        let [day, time] = [self.need(values, KEYS[0])?, self.need(values, KEYS[1])?];
        for (key, value) in KEYS.into_iter().zip([day, time]) {
            if value == "UNDEFINED" {
                let parameter = key.into();
                return Err(RuleFailure::Date(LookupFailure::UndefinedDate {
                    parameter,
                }));
            }
        }
        let value = format!("{day} {time}");
        date::parse(&value).map_err(|reason| {
            RuleFailure::Date(LookupFailure::InvalidDate {
                parameters: KEYS.join(" ").into(),
                value: value.into(),
                reason: reason.into(),
            })
        })
    }

    fn acs_bias(
        &self,
        version: AcsBiasVersion,
        values: &mut Values<'_>,
    ) -> Result<(), RuleFailure> {
        let date = self.date(values)?;
        if version == AcsBiasVersion::Three && !self.acs_needs_change(date, values)? {
            return Ok(());
        }
        if date < SM4 {
            self.set(values, "APERTURE", "N/A");
        }
        let [columns_key, rows_key] = version.size_keys();
        if let Some(columns) = whole(self.need(values, columns_key)?)? {
            self.set(values, columns_key, condition(&float_text(columns)));
            if date < SM4 && columns > 2048.0 {
                let pair = match self.need(values, "CCDAMP")? {
                    "A" | "D" => Some("AD"),
                    "B" | "C" => Some("BC"),
                    _ => None,
                };
                if let Some(pair) = pair {
                    self.set(values, "CCDAMP", pair);
                }
            }
        }
        if self.need(values, "DETECTOR")? == "WFC"
            && self.need(values, "XCORNER")? == "0.0"
            && self.need(values, "YCORNER")? == "0.0"
            && let Some(rows) = whole(self.need(values, rows_key)?)?
        {
            self.set(values, rows_key, condition(&float_text(rows / 2.0)));
        }
        Ok(())
    }

    /// Version 3 only changes headers for which this holds.
    fn acs_needs_change(&self, date: Moment, values: &Values<'_>) -> Result<bool, RuleFailure> {
        if self.need(values, "DETECTOR")? != "WFC"
            || date < PRE_SM4_SUBARRAYS
            || matches!(self.get(values, "APERTURE"), None | Some("UNDEFINED"))
        {
            return Ok(true);
        }
        let gain = self.need(values, "CCDGAIN")?;
        let number = python_float(gain)
            .ok_or_else(|| format!("could not convert string to float: '{gain}'"))?;
        #[allow(clippy::float_cmp, reason = "the two gains are exact doubles")]
        let high_gain = number == 4.0 || number == 8.0;
        Ok(high_gain || matches!(self.need(values, "CCDAMP")?, "AD" | "BC"))
    }

    fn acs_bias_fallback(
        &self,
        version: AcsBiasVersion,
        values: &mut Values<'_>,
    ) -> Result<(), RuleFailure> {
        self.acs_bias(version, values)?;
        let [columns_key, rows_key] = version.size_keys();
        let [offset_key, row_offset_key] = version.offset_keys();
        for key in [columns_key, rows_key, offset_key, row_offset_key] {
            self.need(values, key)?;
        }
        let full_frame = if self.need(values, "DETECTOR")? == "WFC" {
            ["4144.0", "2068.0", "24.0", "0.0"]
        } else if matches!(self.need(values, "CCDAMP")?, "C" | "D") {
            ["1062.0", "1044.0", "19.0", "0.0"]
        } else {
            ["1062.0", "1044.0", "19.0", "20.0"]
        };
        let keys = [columns_key, rows_key, offset_key, row_offset_key];
        for (key, value) in keys.into_iter().zip(full_frame) {
            self.set(values, key, value);
        }
        Ok(())
    }

    fn wfc3_bias(&self, values: &mut Values<'_>) -> Result<(), RuleFailure> {
        if self.need(values, "SUBARRAY")? == "T" && !self.need(values, "APERTURE")?.contains("SUB")
        {
            self.set(values, "APERTURE", "N/A");
        }
        Ok(())
    }

    fn wfpc2_flat_fallback(&self, values: &mut Values<'_>) -> Result<(), RuleFailure> {
        let first = self.need(values, "FILTER1")?.to_owned();
        let second = self.need(values, "FILTER2")?.to_owned();
        self.set(values, "FILTER1", second);
        self.set(values, "FILTER2", first);
        Ok(())
    }
}

/// The truncated number of a text, never negative zero; nothing if it is not a number, an error if it is infinite.
fn whole(text: &str) -> Result<Option<f64>, RuleFailure> {
    match python_float(text) {
        Some(number) if number.is_infinite() => {
            Err("cannot convert float infinity to integer".into())
        }
        Some(number) if !number.is_nan() => Ok(Some(number.trunc() + 0.0)),
        _ => Ok(None),
    }
}

/// Whether a dataset is one that is not to be reprocessed, for which no reference is an answer.
pub(crate) fn is_not_reprocessed(detector: Option<&str>, gain: Option<&str>) -> bool {
    #[allow(
        clippy::float_cmp,
        reason = "0.5 is exact, 1.4 is the double Python compares with"
    )]
    let has_gain = gain
        .and_then(python_float)
        .is_some_and(|gain| gain == 0.5 || gain == 1.4);
    detector == Some("WFC") && has_gain
}

//! What the server knows: observations, products as rows, and files.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The first number of an observation, of the size real ones have.
const FIRST_NUMBER: u64 = 2_003_000_001;

#[derive(Debug, Default)]
pub(super) struct Archive {
    observations: Vec<(u64, String)>,
    products: Vec<(u64, Value)>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    pub(super) fn add_observation(&mut self, name: &str) -> u64 {
        let number = FIRST_NUMBER + self.observations.len() as u64;
        self.observations.push((number, name.to_owned()));
        number
    }

    pub(super) fn add_row(&mut self, observation: u64, file: &str, suffix: &str, size: u64) {
        let origin = if file.starts_with("hst_") {
            "HAP"
        } else {
            "DADS"
        };
        let row = json!({
            // The real service gives some numbers as text.
            "obsID": observation.to_string(),
            "obs_collection": "HST",
            "dataproduct_type": "image",
            "obs_id": file.split('_').next(),
            "description": format!("{origin} {suffix} file"),
            "type": "S",
            "dataURI": format!("mast:HST/product/{file}"),
            "productType": "SCIENCE",
            "productGroupDescription": null,
            "productSubGroupDescription": suffix,
            "productFilename": file,
            "size": size,
            "_selected_": null,
        });
        self.products.push((observation, row));
    }

    pub(super) fn forget_sizes(&mut self) {
        for (_, row) in &mut self.products {
            row["size"] = Value::Null;
        }
    }

    /// Rows of the observations that a filter of `obs_id` selects.
    pub(super) fn observations(&self, filter: &Value) -> Vec<Value> {
        let is = |name: &str| {
            let mut values = filter["values"].as_array().into_iter().flatten();
            let exact = values.any(|v| v.as_str().is_some_and(|v| v.eq_ignore_ascii_case(name)));
            let prefix = filter["freeText"]
                .as_str()
                .and_then(|text| text.strip_suffix('%'));
            exact || prefix.is_some_and(|prefix| name.to_lowercase().starts_with(prefix))
        };
        let named = self.observations.iter().filter(|(_, name)| is(name));
        named
            .map(|(number, name)| {
                json!({"obsid": number, "obs_id": name, "obs_collection": "HST", "project": "HST"})
            })
            .collect()
    }

    /// Rows of the products of comma-separated observations.
    pub(super) fn products(&self, numbers: &str) -> Vec<Value> {
        let numbers: Vec<u64> = numbers.split(',').filter_map(|n| n.parse().ok()).collect();
        let of = self
            .products
            .iter()
            .filter(|(number, _)| numbers.contains(number));
        of.map(|(_, row)| row.clone()).collect()
    }
}

/// The suffix that a file's name ends in, in capitals.
pub(super) fn suffix(name: &str) -> String {
    let stem = name.split('.').next().unwrap_or_default();
    let suffix = if name.starts_with("hst_") {
        stem.rsplit('_').next()
    } else {
        stem.split_once('_').map(|(_, suffix)| suffix)
    };
    suffix.unwrap_or_default().to_uppercase()
}

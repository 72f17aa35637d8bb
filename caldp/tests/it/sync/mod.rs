//! `caldp sync`: the built binary brings datasets from S3 and from disk, in both layouts, and moves their
//! states; killed, repeated, run twice, on failing servers, with a full disk and with hostile names.

mod interrupted;
mod protocol;
mod refused;
mod site;

//! Delivery: from products in the working directory to where they are kept.

pub mod package;

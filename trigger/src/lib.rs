//! Turns batches of datasets into AWS Batch jobs, failures into verdicts, requests into actions.

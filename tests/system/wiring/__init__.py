"""Whether the infrastructure and the programs fit together, found out from a plan: nothing is deployed.

`plan` reads what Terraform would make, `policy` decides as IAM does, `patterns` matches as S3 and EventBridge do,
`rules` are what must hold, `mutations` break each rule once. What the programs expect stands in `contract.json`
(made by caldp/tests/it/contract.rs) and `calls.json` (calls recorded from their tests, see `calls.py`).
"""

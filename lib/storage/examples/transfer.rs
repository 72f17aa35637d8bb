//! Measures transfers: `transfer get s3://bucket/key FILE`, `transfer put FILE s3://bucket/key`, on the
//! server of `AWS_ENDPOINT_URL`; `transfer serve` is such a server, with the bucket `bench`, for putting;
//! `transfer sums` prints SHA-1 and CRC-64 of the files whose names it reads.
//!
//! Prints bytes, seconds, MiB/s and the process's peak memory in MiB. `get` checks no sum unless
//! `SHA1` has one.

use std::path::Path;
use std::time::Instant;

use storage::checksum::{Expected, Sha1Sum, sums_of_file};
use storage::s3::S3;
use storage::uri::S3Uri;

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let start = Instant::now();
    let size = match args[..] {
        ["get", uri, file] => {
            let sha1 = std::env::var("SHA1").ok();
            let sha1: Option<Sha1Sum> = sha1.map(|sum| sum.parse()).transpose()?;
            let expected = Expected {
                size: None,
                sha1,
                ..Expected::default()
            };
            let uri: S3Uri = uri.parse()?;
            let s3 = S3::from_env().await;
            s3.get_to_file(&uri, Path::new(file), &expected).await?.size
        }
        ["put", file, uri] => {
            let uri: S3Uri = uri.parse()?;
            let s3 = S3::from_env().await;
            s3.put_file(&uri, Path::new(file)).await?.size
        }
        ["sums"] => {
            for name in std::io::stdin().lines() {
                let (sha1, crc64) = sums_of_file(Path::new(&name?))?;
                println!("{sha1} {crc64}");
            }
            return Ok(());
        }
        ["serve"] => {
            let server = caldp_tests::S3Server::start(&["bench"]);
            for (name, value) in server.environment() {
                println!("export {name}={value}");
            }
            std::future::pending::<()>().await;
            0
        }
        _ => return Err("usage: transfer get URI FILE | put FILE URI | sums | serve".into()),
    };
    let seconds = start.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let mib = size as f64 / f64::from(1 << 20);
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!(
        "{size} bytes {seconds:.2} s {:.0} MiB/s {}",
        mib / seconds,
        peak.unwrap_or_default()
    );
    Ok(())
}

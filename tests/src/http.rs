//! HTTP on a free local port, from threads of its own, so that a test may block: what all servers here have in common.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::sync::oneshot;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the small stand-ins answer; none closes the connection.
pub(crate) type Answer = Option<Response<Full<Bytes>>>;

/// A free local port that nobody answers on yet.
#[derive(Debug)]
pub(crate) struct Port {
    listener: std::net::TcpListener,
    pub(crate) address: SocketAddr,
}

/// A running server; dropping it stops it, requests under way included.
#[derive(Debug)]
pub(crate) struct HttpThread {
    pub(crate) address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Port {
    pub(crate) fn bind() -> Self {
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free local port");
        let address = listener.local_addr().expect("the listener is bound");
        listener
            .set_nonblocking(true)
            .expect("a listener can be made non-blocking");
        Self { listener, address }
    }

    /// Answers every request with `answer`, from threads of the server's own; an error closes the
    /// connection.
    pub(crate) fn serve<F, A, B, E>(self, name: &str, answer: F) -> HttpThread
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
        A: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let Self { listener, address } = self;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()
                    .expect("a runtime for the server");
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, answer) => {}
                        _ = stopped => {}
                    }
                });
                runtime.shutdown_background();
            })
            .expect("a thread for the server");
        HttpThread {
            address,
            running: Some((stop, thread)),
        }
    }
}

impl HttpThread {
    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for HttpThread {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            // Both fail only when the server is gone already.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

async fn accept<F, A, B, E>(listener: std::net::TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime has I/O");
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        // Small answers would otherwise wait for acknowledgements.
        let _ = socket.set_nodelay(true);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(
                TokioIo::new(socket),
                hyper::service::service_fn(answer.clone()),
            );
        tokio::spawn(async move {
            // A connection that breaks is the client's business, and often the test's wish.
            let _ = connection.await;
        });
    }
}

/// In place of an answer: the connection is closed.
pub(crate) fn closed() -> std::io::Error {
    std::io::Error::other("made to fail")
}

/// A JSON answer.
pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

/// Nothing the locks guard is left half changed by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets a number of requests through each second, and as many at once after a pause.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: f64,
    tokens: f64,
    at: std::time::Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            rate: f64::from(per_second),
            tokens: f64::from(per_second),
            at: std::time::Instant::now(),
        }
    }

    /// Whether one more request is within the limit.
    pub(crate) fn take(&mut self) -> bool {
        let now = std::time::Instant::now();
        let earned = now.duration_since(self.at).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + earned).min(self.rate);
        self.at = now;
        let within = self.tokens >= 1.0;
        if within {
            self.tokens -= 1.0;
        }
        within
    }
}

//! Structured logs: each line has the fields of its own request, from a span and from the context.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/logging/main.rs"]
mod example;

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    pin::pin,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::header::AUTHORIZATION,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::{
    StreamExt,
    future::{Either, join_all, select},
    poll, stream,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{
    Barrier,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tower_request_context::RequestContext;
use tracing::{Instrument, info, info_span};

use self::example::{Source, UserId, logged, routes, subscriber};
use crate::{
    capture::Subscribed,
    example::{Example, error_message, stderr, stdout},
    support::{Connection, VERSIONS, client, in_time, request, serve, text},
};

const SOURCES: [Source; 3] = [Source::Span, Source::JsonSubscriber, Source::FormatEvent];

const REQUESTS: usize = 200;

#[tokio::test]
async fn each_line_of_200_overlapping_requests_has_its_fields() {
    for source in SOURCES {
        for version in VERSIONS {
            let mut log = Log::capture(source);
            let stages = Arc::new(Stages::default());
            let client = client(version);
            let app = routes().layer(from_fn_with_state(Arc::clone(&stages), wait_for_all));
            let address = serve(logged(source, app, sessions())).await;
            let send = async |n| {
                let response = client.request(with_token(request(address, &path(n), None), n));
                if is_cancelled(n) {
                    let cancelled =
                        matches!(select(pin!(response), pin!(stages.handled.wait())).await, Either::Right(_));
                    assert!(cancelled, "{source:?} {version:?}");
                    return None;
                }
                let response = response.await.unwrap();
                let id = id_of(&response);
                assert_eq!(text(response).await, diary(n), "{source:?} {version:?}");
                Some(id)
            };
            let echoed = in_time(join_all((0..REQUESTS).map(send))).await;

            let count = (0..REQUESTS).map(|n| events(n).len()).sum();
            let mut lines = log.by_request(count).await;
            for (n, echoed) in echoed.into_iter().enumerate() {
                let id = stages.ids.lock().unwrap().remove(&path(n)).unwrap();
                assert!(echoed.is_none_or(|echoed| echoed == id), "{source:?} {version:?}");
                let route = if is_cancelled(n) { "/cats/{name}/call" } else { "/cats/{name}" };
                let fields = json!({ "request_id": id, "route": route, "user": user(n) });
                let mut expected: Vec<_> = events(n).into_iter().map(|event| line(source, event, &fields)).collect();
                expected.sort_by_key(Value::to_string);
                let mut of_this = lines.remove(&id).unwrap_or_default();
                of_this.sort_by_key(Value::to_string);
                assert_eq!(of_this, expected, "{source:?} {version:?}");
            }
            assert_eq!(lines, HashMap::new(), "lines without a request, {source:?} {version:?}");
        }
    }
}

/// Returns the events of a request, in any order.
fn events(n: usize) -> Vec<Value> {
    let cat = format!("tom-{n}");
    if is_cancelled(n) {
        return vec![
            json!({ "message": "called", "cat": cat }),
            json!({ "message": "dropped", "cat": cat, "place": "handler" }),
            json!({ "message": "ended", "end": "Cancelled" }),
        ];
    }
    let food = if user(n) == "anonymous" { "kibble" } else { "tuna" };
    vec![
        json!({ "message": "requested", "cat": cat }),
        json!({ "message": "selected", "cat": cat }),
        json!({ "message": "fed", "cat": cat, "food": food }),
        json!({ "message": "streamed", "cat": cat }),
        json!({ "message": "streamed", "cat": cat }),
        json!({ "message": "dropped", "cat": cat, "place": "body" }),
        json!({ "message": "finished processing request", "status": 200 }),
        json!({ "message": "ended", "end": "Completed" }),
    ]
}

#[tokio::test]
async fn a_request_that_panics_or_is_cancelled_is_logged_with_its_end() {
    for source in SOURCES {
        let mut log = Log::capture(source);
        let first = async || Ok::<_, Infallible>("…");
        let endless = async move || Body::from_stream(stream::once(first()).chain(stream::pending()));
        let panics = async || -> () { panic!("a panic in the handler") };
        let app = Router::new().route("/endless", get(endless)).route("/panics", get(panics));
        let address = serve(logged(source, app, sessions())).await;
        for version in VERSIONS {
            let mut connection = Connection::open(address, version).await;
            let request_of = |path, n| with_token(request(address, path, None), n);
            let mut response = connection.send(request_of("/endless", 7)).await.unwrap();
            let fields = json!({ "request_id": id_of(&response), "route": "/endless", "user": "7" });
            in_time(response.frame()).await.unwrap().unwrap();
            drop(response);
            let responded = json!({ "message": "finished processing request", "status": 200 });
            assert_eq!(log.next().await, line(source, responded, &fields), "{version:?}");
            let cancelled = json!({ "message": "ended", "end": "Cancelled" });
            assert_eq!(log.next().await, line(source, cancelled, &fields), "{version:?}");

            let mut connection = Connection::open(address, version).await;
            assert!(connection.send(request_of("/panics", 9)).await.is_err(), "{version:?}");
            let logged = log.next().await;
            let fields = json!({ "request_id": request_id(&logged), "route": "/panics", "user": "9" });
            let panicked = json!({ "message": "ended", "end": "Panicked" });
            assert_eq!(logged, line(source, panicked, &fields), "{version:?}");
        }
    }
}

#[tokio::test]
async fn requests_without_a_route_or_a_known_token_are_logged() {
    for source in SOURCES {
        let mut log = Log::capture(source);
        let address = serve(logged(source, routes(), sessions())).await;
        let mut connection = Connection::open(address, VERSIONS[0]).await;
        let response = connection.send(with_token(request(address, "/dogs", None), REQUESTS)).await.unwrap();
        let fields = json!({ "request_id": id_of(&response), "route": "none", "user": "anonymous" });
        let responded = json!({ "message": "finished processing request", "status": 404 });
        assert_eq!(log.next().await, line(source, responded, &fields));
        assert_eq!(log.next().await, line(source, json!({ "message": "ended", "end": "Completed" }), &fields));
    }
}

#[tokio::test]
async fn a_request_with_several_tokens_is_logged_as_anonymous() {
    for source in SOURCES {
        let mut log = Log::capture(source);
        let address = serve(logged(source, routes(), sessions())).await;
        let mut request = with_token(request(address, "/dogs", None), 7);
        request.headers_mut().append(AUTHORIZATION, "Bearer token-9".parse().unwrap());
        let mut connection = Connection::open(address, VERSIONS[0]).await;
        let response = connection.send(request).await.unwrap();
        let fields = json!({ "request_id": id_of(&response), "route": "none", "user": "anonymous" });
        let responded = json!({ "message": "finished processing request", "status": 404 });
        assert_eq!(log.next().await, line(source, responded, &fields));
    }
}

#[tokio::test]
async fn an_inner_span_keeps_the_fields_of_the_request() {
    for source in SOURCES {
        let mut log = Log::capture(source);
        let handler = async || async { info!("inside") }.instrument(info_span!("query", table = "cats")).await;
        let address = serve(logged(source, Router::new().route("/", get(handler)), sessions())).await;
        let mut connection = Connection::open(address, VERSIONS[0]).await;
        let response = connection.send(with_token(request(address, "/", None), 7)).await.unwrap();
        let mut expected = line(
            source,
            json!({ "message": "inside" }),
            &json!({ "request_id": id_of(&response), "route": "/", "user": "7" }),
        );
        if let Some(spans) = expected.get_mut("spans") {
            spans.as_array_mut().unwrap().push(json!({ "name": "query", "table": "cats" }));
        }
        assert_eq!(log.next().await, expected);
    }
}

#[tokio::test]
async fn a_value_that_is_set_later_is_on_the_next_line() {
    for source in [Source::JsonSubscriber, Source::FormatEvent] {
        let mut log = Log::capture(source);
        let handler = async || {
            info!("before");
            RequestContext::set(UserId(7)).unwrap();
            info!("after");
        };
        let address = serve(logged(source, Router::new().route("/", get(handler)), sessions())).await;
        let mut connection = Connection::open(address, VERSIONS[0]).await;
        let response = connection.send(request(address, "/", None)).await.unwrap();
        for (message, user) in [("before", "anonymous"), ("after", "7")] {
            let fields = json!({ "request_id": id_of(&response), "route": "/", "user": user });
            assert_eq!(log.next().await, line(source, json!({ "message": message }), &fields));
        }
    }
}

#[tokio::test]
async fn a_line_outside_of_any_request_has_none_of_the_fields() {
    for source in SOURCES {
        let mut log = Log::capture(source);
        let handler = async || drop(tokio::spawn(async { info!(port = 3000, "outside") }).await);
        let address = serve(logged(source, Router::new().route("/", get(handler)), sessions())).await;
        let mut connection = Connection::open(address, VERSIONS[0]).await;
        connection.send(request(address, "/", None)).await.unwrap();
        assert_eq!(log.next().await, json!({ "message": "outside", "port": 3000 }), "{source:?}");
    }
}

#[tokio::test]
async fn special_characters_are_escaped() {
    for source in SOURCES {
        let mut log = Log::capture(source);
        let route = r#"/"tom"\"#;
        let handler = async || info!("{{\"quoted\"}}");
        let address = serve(logged(source, Router::new().route(route, get(handler)), sessions())).await;
        let mut connection = Connection::open(address, VERSIONS[0]).await;
        let response = connection.send(request(address, route, None)).await.unwrap();
        let fields = json!({ "request_id": id_of(&response), "route": route, "user": "anonymous" });
        assert_eq!(log.next().await, line(source, json!({ "message": r#"{"quoted"}"# }), &fields));
    }
}

#[tokio::test]
async fn the_environment_chooses_the_source_of_the_fields() {
    for (logs, has_spans) in [("span", true), ("json-subscriber", false), ("format-event", false)] {
        let output = Example("logging").with("0", &["--once"], &[("LOGS", logs)]).await;
        assert_eq!(output.status.code(), Some(0), "{logs}");
        assert!(stdout(&output).contains("404 Not Found"), "{logs}");
        let log = stderr(&output);
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.iter().all(|line| line.get("spans").is_some() == has_spans), "{logs}: {log}");
        assert!(!lines.is_empty(), "{logs}");
    }
    let message = error_message(&Example("logging").with("0", &["--once"], &[("LOGS", "xml")]).await);
    assert_eq!(message, r#"LOGS must be span, json-subscriber or format-event, not "xml""#);
}

/// Returns the expected line, without the fields that no test can know.
fn line(source: Source, mut event: Value, fields: &Value) -> Value {
    let mut fields = fields.as_object().unwrap().clone();
    let line = event.as_object_mut().unwrap();
    if source == Source::Span {
        fields.insert("name".into(), "request".into());
        line.insert("spans".into(), json!([fields]));
    } else {
        line.append(&mut fields);
    }
    event
}

/// Returns the id on a line of any source.
fn request_id(line: &Value) -> &str {
    line.get("request_id").unwrap_or(&line["spans"][0]["request_id"]).as_str().unwrap_or_default()
}

/// Returns the user of a request. Every fourth is anonymous.
fn user(n: usize) -> String {
    if n % 4 == 0 { String::from("anonymous") } else { n.to_string() }
}

/// Returns whether the client of a request cancels it.
fn is_cancelled(n: usize) -> bool {
    n % 5 == 0
}

fn path(n: usize) -> String {
    format!("/cats/tom-{n}{}", if is_cancelled(n) { "/call" } else { "" })
}

fn diary(n: usize) -> String {
    format!("tom-{n} slept\ntom-{n} {}\n", if n % 4 == 0 { "slept on" } else { "dreamt" })
}

fn sessions() -> example::Sessions {
    let user = |n: usize| (format!("token-{n}"), UserId(n.try_into().unwrap()));
    Arc::new((0..REQUESTS).filter(|n| n % 4 != 0).map(user).collect())
}

fn with_token(mut request: Request, n: usize) -> Request {
    request.headers_mut().insert(AUTHORIZATION, format!("Bearer token-{n}").parse().unwrap());
    request
}

fn id_of<B>(response: &Response<B>) -> String {
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

/// The points at which the requests wait for each other.
struct Stages {
    authenticated: Barrier,
    /// Every handler has returned or waits, and the clients are about to cancel their requests.
    handled: Barrier,
    streamed: Barrier,
    /// The ids of the requests, by their paths.
    ids: Mutex<HashMap<String, String>>,
}

impl Default for Stages {
    fn default() -> Self {
        let cancelled = (0..REQUESTS).filter(|n| is_cancelled(*n)).count();
        Self {
            authenticated: Barrier::new(REQUESTS),
            handled: Barrier::new(REQUESTS + cancelled),
            streamed: Barrier::new(REQUESTS - cancelled),
            ids: Mutex::default(),
        }
    }
}

/// Makes each request wait until all others have reached the same point.
async fn wait_for_all(State(stages): State<Arc<Stages>>, request: Request, next: Next) -> Response {
    let id = RequestContext::id().unwrap().to_string();
    stages.ids.lock().unwrap().insert(request.uri().path().to_owned(), id);
    stages.authenticated.wait().await;
    let waits = request.uri().path().ends_with("/call");
    let mut response = pin!(next.run(request));
    if waits {
        assert!(poll!(&mut response).is_pending());
        stages.handled.wait().await;
        return response.await;
    }
    let response = response.await;
    stages.handled.wait().await;
    response.map(|body| {
        Body::from_stream(body.into_data_stream().then(move |frame| {
            let stages = Arc::clone(&stages);
            async move {
                stages.streamed.wait().await;
                frame
            }
        }))
    })
}

/// Captures the lines that the example's subscriber writes on this thread.
struct Log {
    lines: UnboundedReceiver<Value>,
    _subscribed: Subscribed,
}

impl Log {
    fn capture(source: Source) -> Self {
        let (sender, lines) = unbounded_channel();
        let subscribed = Subscribed::new(subscriber(source, move || LineSender(sender.clone())));
        Self { lines, _subscribed: subscribed }
    }

    /// Returns the next line, without the fields that no test can know.
    async fn next(&mut self) -> Value {
        let mut line = in_time(self.lines.recv()).await.expect("the subscriber has the sender");
        let fields = line.as_object_mut().unwrap();
        for name in ["timestamp", "level", "target", "latency"] {
            assert!(fields.remove(name).is_some() || name == "latency", "{name}");
        }
        line
    }

    /// Returns this many lines, by the id of their request, and asserts that there are no more.
    async fn by_request(&mut self, count: usize) -> HashMap<String, Vec<Value>> {
        let mut lines: HashMap<_, Vec<_>> = HashMap::new();
        for _ in 0..count {
            let line = self.next().await;
            lines.entry(request_id(&line).to_owned()).or_default().push(line);
        }
        assert!(self.lines.is_empty());
        lines
    }
}

/// Sends each write, which is one line, to the test.
struct LineSender(UnboundedSender<Value>);

impl io::Write for LineSender {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Fails when the test has ended.
        drop(self.0.send(serde_json::from_slice(line)?));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

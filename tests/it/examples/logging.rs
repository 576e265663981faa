//! Lines of JSON, each of which says whose request it is of.

#[allow(dead_code, reason = "`main` is for those who run it")]
#[path = "../../../examples/logging.rs"]
mod example;

use std::{collections::HashMap, convert::Infallible, io, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::header::AUTHORIZATION,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::{StreamExt, future::join_all, stream};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{
    Barrier,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tracing::{Instrument, info, info_span};

use self::example::{UserId, logged, routes, subscriber};
use crate::{
    capture::Subscribed,
    support::{Connection, VERSIONS, client, in_time, request, serve, text},
};

const AT_ONCE: u64 = 200;

#[tokio::test]
async fn each_line_of_200_requests_at_once_says_its_id_its_route_and_its_user() {
    let mut log = Log::capture();
    for version in VERSIONS {
        let all = Arc::new(Barrier::new(AT_ONCE.try_into().unwrap()));
        let client = client(version);
        let app = routes().layer(from_fn_with_state(all, meet));
        let address = serve(logged(app, sessions())).await;
        let ask = async |n| {
            let path = format!("/cats/tom-{n}");
            let response = client.request(with_token(request(address, &path, None), n)).await.unwrap();
            let id = id_of(&response);
            assert_eq!(text(response).await, diary(n), "{version:?}");
            id
        };
        let ids = in_time(join_all((0..AT_ONCE).map(ask))).await;

        let mut lines = log.by_request(7 * ids.len()).await;
        for (n, id) in (0..).zip(ids) {
            let mut of_this = lines.remove(&id).unwrap_or_default();
            of_this.sort_by_key(Value::to_string);
            let spans = json!([{ "name": "request", "id": id, "route": "/cats/{name}", "user": user(n) }]);
            let about = |message| json!({ "message": message, "cat": format!("tom-{n}"), "spans": spans });
            let mut expected = ["asked", "selected", "streamed", "streamed"].map(about).to_vec();
            let food = if user(n) == "nobody" { "kibble" } else { "tuna" };
            expected.push(json!({ "message": "fed", "cat": format!("tom-{n}"), "food": food, "spans": spans }));
            expected.push(json!({ "message": "finished processing request", "status": 200, "spans": spans }));
            expected.push(json!({ "message": "over", "end": "Completed", "spans": spans }));
            expected.sort_by_key(Value::to_string);
            assert_eq!(of_this, expected, "{version:?}");
        }
        assert_eq!(lines, HashMap::new(), "lines of no request, {version:?}");
    }
}

#[tokio::test]
async fn a_request_that_panics_or_is_left_by_its_client_is_logged_with_its_end() {
    let mut log = Log::capture();
    let endless = async || Body::from_stream(stream::once(async { Ok::<_, Infallible>("…") }).chain(stream::pending()));
    let panics = async || -> () { panic!("a panic in the handler") };
    let app = Router::new().route("/endless", get(endless)).route("/panics", get(panics));
    let address = serve(logged(app, sessions())).await;
    for version in VERSIONS {
        let mut connection = Connection::open(address, version).await;
        let request_of = |path, n| with_token(request(address, path, None), n);
        let mut response = connection.send(request_of("/endless", 7)).await.unwrap();
        let id = id_of(&response);
        in_time(response.frame()).await.unwrap().unwrap();
        drop(response);
        let spans = json!([{ "name": "request", "id": id, "route": "/endless", "user": "7" }]);
        let answered = json!({ "message": "finished processing request", "status": 200, "spans": spans });
        assert_eq!(log.next().await, answered, "{version:?}");
        assert_eq!(log.next().await, json!({ "message": "over", "end": "Cancelled", "spans": spans }), "{version:?}");

        let mut connection = Connection::open(address, version).await;
        assert!(connection.send(request_of("/panics", 9)).await.is_err(), "{version:?}");
        let line = log.next().await;
        assert_eq!([&line["message"], &line["end"]], ["over", "Panicked"], "{version:?}");
        assert_eq!([&line["spans"][0]["route"], &line["spans"][0]["user"]], ["/panics", "9"], "{version:?}");
    }
}

#[tokio::test]
async fn a_request_for_no_route_or_with_a_strange_token_says_so() {
    let mut log = Log::capture();
    let address = serve(logged(routes(), sessions())).await;
    let mut connection = Connection::open(address, VERSIONS[0]).await;
    let response = connection.send(with_token(request(address, "/dogs", None), AT_ONCE)).await.unwrap();
    let spans = json!([{ "name": "request", "id": id_of(&response), "route": "none", "user": "nobody" }]);
    let answered = json!({ "message": "finished processing request", "status": 404, "spans": spans });
    assert_eq!(log.next().await, answered);
    assert_eq!(log.next().await, json!({ "message": "over", "end": "Completed", "spans": spans }));
}

#[tokio::test]
async fn a_request_with_several_tokens_is_logged_as_one_of_nobody() {
    let mut log = Log::capture();
    let address = serve(logged(routes(), sessions())).await;
    let mut request = with_token(request(address, "/dogs", None), 7);
    request.headers_mut().append(AUTHORIZATION, "Bearer token-9".parse().unwrap());
    let mut connection = Connection::open(address, VERSIONS[0]).await;
    connection.send(request).await.unwrap();
    assert_eq!(log.next().await["spans"][0]["user"], "nobody");
}

#[tokio::test]
async fn a_span_inside_of_the_request_s_hides_none_of_its_fields() {
    let mut log = Log::capture();
    let handler = async || async { info!("inside") }.instrument(info_span!("query", table = "cats")).await;
    let address = serve(logged(Router::new().route("/", get(handler)), sessions())).await;
    let mut connection = Connection::open(address, VERSIONS[0]).await;
    let response = connection.send(with_token(request(address, "/", None), 7)).await.unwrap();
    let request = json!({ "name": "request", "id": id_of(&response), "route": "/", "user": "7" });
    let spans = json!([request, { "name": "query", "table": "cats" }]);
    assert_eq!(log.next().await, json!({ "message": "inside", "spans": spans }));
}

/// Every fourth is nobody.
fn user(n: u64) -> String {
    if n % 4 == 0 { String::from("nobody") } else { n.to_string() }
}

fn diary(n: u64) -> String {
    format!("tom-{n} slept\ntom-{n} {}\n", if n % 4 == 0 { "slept on" } else { "dreamt" })
}

fn sessions() -> example::Sessions {
    Arc::new((0..AT_ONCE).filter(|n| n % 4 != 0).map(|n| (format!("token-{n}"), UserId(n))).collect())
}

fn with_token(mut request: Request, n: u64) -> Request {
    request.headers_mut().insert(AUTHORIZATION, format!("Bearer token-{n}").parse().unwrap());
    request
}

fn id_of<B>(response: &Response<B>) -> String {
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

/// Lets no request go on before all have authenticated, all handlers have answered, and all have streamed a frame.
async fn meet(State(all): State<Arc<Barrier>>, request: Request, next: Next) -> Response {
    all.wait().await;
    let response = next.run(request).await;
    all.wait().await;
    response.map(|body| {
        Body::from_stream(body.into_data_stream().then(move |frame| {
            let all = Arc::clone(&all);
            async move {
                all.wait().await;
                frame
            }
        }))
    })
}

/// What the example's subscriber writes on this thread.
struct Log {
    lines: UnboundedReceiver<Value>,
    _subscribed: Subscribed,
}

impl Log {
    fn capture() -> Self {
        let (sender, lines) = unbounded_channel();
        let subscribed = Subscribed::new(subscriber(move || Sent(sender.clone())));
        Self { lines, _subscribed: subscribed }
    }

    /// The next line, without what no test can know.
    async fn next(&mut self) -> Value {
        let mut line = in_time(self.lines.recv()).await.expect("the subscriber is there");
        let fields = line.as_object_mut().unwrap();
        for name in ["timestamp", "level", "target", "latency"] {
            assert!(fields.remove(name).is_some() || name == "latency", "{name}");
        }
        line
    }

    /// This many lines, and there are no more, by the id of their request.
    async fn by_request(&mut self, count: usize) -> HashMap<String, Vec<Value>> {
        let mut lines: HashMap<_, Vec<_>> = HashMap::new();
        for _ in 0..count {
            let line = self.next().await;
            lines.entry(line["spans"][0]["id"].as_str().unwrap_or_default().to_owned()).or_default().push(line);
        }
        assert!(self.lines.is_empty());
        lines
    }
}

/// Each write is a line.
struct Sent(UnboundedSender<Value>);

impl io::Write for Sent {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A test that has seen enough no longer listens.
        drop(self.0.send(serde_json::from_slice(line)?));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! A request id: generated, set on the request, stored, and echoed on the response.

use std::convert::Infallible;

use http::{HeaderName, Request, Response};
use http_body_util::Empty;
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_http::request_id::{MakeRequestId, MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_request_context::{RequestContextLayer, RequestIdPolicy};

use super::drive::drive;
use crate::{Group, Row, Target};

const TOWER_HTTP: &str = "SetRequestIdLayer + PropagateRequestIdLayer";
const OURS: &str = "RequestContextLayer, RequestIdPolicy";
const EMPTY: &str = "RequestContextLayer, empty";
const WITHOUT_ECHO: &str = "RequestContextLayer, RequestIdPolicy without an echo";
const TARGETS: &[Target] = &[Target::times(OURS, 0.65, TOWER_HTTP)];

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "a request id, applied and echoed",
        baseline: true,
        rows: &[
            Row::new("the bare service", |n| drive(bare(), n)),
            Row::new(TOWER_HTTP, |n| drive(tower_http_layers(MakeRequestUuid), n)),
            Row::new(EMPTY, |n| drive(empty(), n)),
            Row::new(OURS, |n| drive(with_policy(RequestIdPolicy::new()), n)),
        ],
        targets: TARGETS,
    },
    Group {
        name: "a constant request id, applied and echoed",
        baseline: true,
        rows: &[
            Row::new("the bare service", |n| drive(bare(), n)),
            Row::new(TOWER_HTTP, |n| drive(tower_http_layers(ConstantId), n)),
            Row::new(EMPTY, |n| drive(empty(), n)),
            Row::new(OURS, |n| drive(with_policy(RequestIdPolicy::new().generate(|_| constant_id())), n)),
        ],
        targets: TARGETS,
    },
    Group {
        name: "a request id, over an empty layer",
        baseline: true,
        rows: &[
            Row::new(EMPTY, |n| drive(empty(), n)),
            Row::new(WITHOUT_ECHO, |n| drive(with_policy(RequestIdPolicy::new().echo(false)), n)),
            Row::new(OURS, |n| drive(with_policy(RequestIdPolicy::new()), n)),
        ],
        targets: &[],
    },
];

type HandlerResult = Result<Response<Empty<&'static [u8]>>, Infallible>;

fn bare() -> impl Service<Request<()>, Response = Response<Empty<&'static [u8]>>, Error = Infallible> {
    service_fn(async |_: Request<()>| HandlerResult::Ok(Response::new(Empty::new())))
}

fn tower_http_layers<M>(
    make: M,
) -> impl Service<Request<()>, Response = Response<Empty<&'static [u8]>>, Error = Infallible>
where
    M: MakeRequestId + Clone,
{
    let name = HeaderName::from_static("x-request-id");
    let set = SetRequestIdLayer::new(name.clone(), make);
    ServiceBuilder::new().layer(set).layer(PropagateRequestIdLayer::new(name)).service(bare())
}

fn empty() -> impl Service<Request<()>, Response = Response<impl http_body::Body>, Error = Infallible> {
    RequestContextLayer::new(|_, _| {}).layer(bare())
}

fn with_policy(
    ids: RequestIdPolicy,
) -> impl Service<Request<()>, Response = Response<impl http_body::Body>, Error = Infallible> {
    let layer = RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
    });
    layer.layer(bare())
}

#[derive(Clone)]
struct ConstantId;

const ID: &str = "0198c1a4-3f1c-7b3e-9f0a-2f6a1b3c4d5e";

impl MakeRequestId for ConstantId {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        Some(RequestId::new(ID.parse().expect("`ID` is ASCII")))
    }
}

fn constant_id() -> tower_request_context::RequestId {
    ID.parse().expect("`ID` is a valid id")
}

//! The gateway: an edge to clients, and for the backend a place to report to.

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use tonic::transport::Channel;
use tower::{Layer, util::MapRequestLayer};
use tower_request_context::RequestIdPolicy;

use crate::{
    backend::{self, Backend},
    hop,
};

pub(crate) fn app(channel: Channel) -> Router {
    let backend: Backend = MapRequestLayer::new(hop::inject as _).layer(channel);
    let edge = hop::context(RequestIdPolicy::new());
    // Whoever sets this id was given it by the edge. A gateway in earnest would listen for such callers elsewhere.
    let inside = hop::context(RequestIdPolicy::new().accept_inbound());
    let public = Router::new().route("/cats/{name}", get(cat)).with_state(backend).layer(edge);
    public.merge(Router::new().route("/audit", post(audit)).layer(inside))
}

async fn cat(State(backend): State<Backend>, Path(name): Path<String>) -> Result<String, (StatusCode, String)> {
    hop::print("gateway");
    let found = backend::find(backend, name).await;
    found.map_err(|status| (StatusCode::BAD_GATEWAY, format!("{}\n", status.message())))
}

async fn audit() -> StatusCode {
    hop::print("second hop");
    StatusCode::NO_CONTENT
}

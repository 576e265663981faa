//! The gateway: a public route for clients, and an internal one for the backend.

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
    let public = hop::context(RequestIdPolicy::new());
    // Accepts ids from the backend, which got them from this gateway. A real gateway would use another port for this.
    let internal = hop::context(RequestIdPolicy::new().accept_inbound());
    let cats = Router::new().route("/cats/{name}", get(cat)).with_state(backend).layer(public);
    cats.merge(Router::new().route("/audit", post(audit)).layer(internal))
}

async fn cat(State(backend): State<Backend>, Path(name): Path<String>) -> Result<String, (StatusCode, String)> {
    hop::print("gateway");
    let found = backend::find(backend, name).await;
    found.map_err(|status| (StatusCode::BAD_GATEWAY, format!("{}\n", status.message())))
}

async fn audit() -> StatusCode {
    hop::print("audit");
    StatusCode::NO_CONTENT
}

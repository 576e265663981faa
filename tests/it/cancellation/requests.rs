//! The requests to interrupt: with each kind of body, alone, inside another request's context, and inside another
//! layer.

use std::rc::Rc;

use http::{Method, Request, Response, header::CONTENT_LENGTH, request::Parts};
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use super::{
    interruption::Steps,
    log::{EventKind, OUTER, drop_recorder, record, store},
    scripted::{AWAITS, FRAME, FRAMES, Script, ScriptedBody, keep_until_dropped, scripted},
};
use crate::support::User;

/// The number of polls until the response is ready.
pub(super) const POLLS_TO_RESPONSE: usize = AWAITS + 1;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Surroundings {
    Nothing,
    /// The context of another request is current when this one is called, polled and dropped.
    Sibling,
    /// The layer of this request is inside another one and inherits from it.
    Layer,
}

/// How a server detects that the body is complete.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BodyKind {
    Chunked,
    Trailers,
    EndStream,
    ContentLength,
    HeadRequest,
}

pub(super) const BODY_KINDS: [BodyKind; 5] =
    [BodyKind::Chunked, BodyKind::Trailers, BodyKind::EndStream, BodyKind::ContentLength, BodyKind::HeadRequest];

impl BodyKind {
    /// Returns the number of frames, including trailers.
    pub(super) fn frame_count(self) -> usize {
        FRAMES + usize::from(self == Self::Trailers)
    }

    /// Returns the number of polls: one pending and one ready for each frame, and one for the end.
    pub(super) fn polls(self) -> usize {
        2 * self.frame_count() + 1
    }

    /// Returns the number of steps after which the response is complete.
    pub(super) fn delivered_after(self) -> usize {
        POLLS_TO_RESPONSE
            + match self {
                Self::Chunked => self.polls(),
                Self::Trailers | Self::EndStream | Self::ContentLength => self.polls() - 1,
                Self::HeadRequest => 0,
            }
    }
}

/// Calls a service whose future and body follow the script.
pub(super) fn request(script: &Rc<Script>, kind: BodyKind, surroundings: Surroundings) -> Steps {
    let user = script.user;
    let mut inner = layer(user, if surroundings == Surroundings::Layer { Nesting::Inherit } else { Nesting::Override })
        .layer(service_fn(|_: Request<()>| {
            register(user);
            let (script, future) = (Rc::clone(script), scripted(Rc::clone(script), drop_recorder(user)));
            keep_until_dropped(user, async move { future.await.map(|()| response(&script, kind)) })
        }));
    if surroundings != Surroundings::Layer {
        return Steps::of_request(inner.call(request_for(kind)));
    }
    let mut outer = layer(OUTER, Nesting::Override).layer(service_fn(|request| {
        register(OUTER);
        keep_until_dropped(OUTER, inner.call(request))
    }));
    Steps::of_request(outer.call(request_for(kind)))
}

fn layer(user: User, nesting: Nesting) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |own, _| *own = store(user)).nesting(nesting)
}

fn register(user: User) {
    RequestContext::on_response(move |_| record(user, EventKind::Response)).unwrap();
    RequestContext::on_end(move |end| record(user, EventKind::End(end))).unwrap();
}

fn request_for(kind: BodyKind) -> Request<()> {
    let method = if kind == BodyKind::HeadRequest { Method::HEAD } else { Method::GET };
    Request::builder().method(method).body(()).unwrap()
}

fn response(script: &Rc<Script>, kind: BodyKind) -> Response<ScriptedBody> {
    let mut response = Response::new(ScriptedBody::new(script, kind));
    if kind == BodyKind::ContentLength {
        response.headers_mut().insert(CONTENT_LENGTH, (FRAMES * FRAME.len()).into());
    }
    response
}

//! The requests that are cut off: of each kind, alone, beside another one, below another layer.

use std::rc::Rc;

use http::{Method, Request, Response, header::CONTENT_LENGTH, request::Parts};
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use super::{
    cut::Steps,
    log::{OUTER, What, held, store, tell},
    work::{AWAITS, FRAME, FRAMES, Reel, Script, keeping, work},
};
use crate::support::User;

/// The polls until the head is ready.
pub(super) const HEAD: usize = AWAITS + 1;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Around {
    Nothing,
    /// Another request is current when this one is called, polled and dropped.
    Sibling,
    /// This one's layer stands below another one, from which it inherits.
    Layer,
}

/// By what a server knows that a body has been delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Chunked,
    Trailers,
    KnowsItsEnd,
    ContentLength,
    Head,
}

pub(super) const KINDS: [Kind; 5] = [Kind::Chunked, Kind::Trailers, Kind::KnowsItsEnd, Kind::ContentLength, Kind::Head];

impl Kind {
    /// With the trailers, where there are any.
    pub(super) fn frames(self) -> usize {
        FRAMES + usize::from(self == Self::Trailers)
    }

    /// A wait and a frame each, and the end.
    pub(super) fn polls(self) -> usize {
        2 * self.frames() + 1
    }

    /// The steps after which nothing more is sent.
    pub(super) fn delivered_after(self) -> usize {
        HEAD + match self {
            Self::Chunked => self.polls(),
            Self::Trailers | Self::KnowsItsEnd | Self::ContentLength => self.polls() - 1,
            Self::Head => 0,
        }
    }
}

/// A request whose call, future and body do what the script says.
pub(super) fn request(script: &Rc<Script>, kind: Kind, around: Around) -> Steps {
    let me = script.me;
    let mut inner = layer(me, if around == Around::Layer { Nesting::Inherit } else { Nesting::Override }).layer(
        service_fn(|_: Request<()>| {
            register(me);
            let (script, work) = (Rc::clone(script), work(Rc::clone(script), held(me)));
            keeping(me, async move { work.await.map(|()| answer(&script, kind)) })
        }),
    );
    if around != Around::Layer {
        return Steps::of_request(inner.call(asking(kind)));
    }
    let mut outer = layer(OUTER, Nesting::Override).layer(service_fn(|request| {
        register(OUTER);
        keeping(OUTER, inner.call(request))
    }));
    Steps::of_request(outer.call(asking(kind)))
}

fn layer(whose: User, nesting: Nesting) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |own, _| *own = store(whose)).nesting(nesting)
}

fn register(whose: User) {
    RequestContext::on_response(move |_| tell(whose, What::Head)).unwrap();
    RequestContext::on_end(move |end| tell(whose, What::End(end))).unwrap();
}

fn asking(kind: Kind) -> Request<()> {
    let method = if kind == Kind::Head { Method::HEAD } else { Method::GET };
    Request::builder().method(method).body(()).unwrap()
}

fn answer(script: &Rc<Script>, kind: Kind) -> Response<Reel> {
    let mut response = Response::new(Reel::new(script, kind));
    if kind == Kind::ContentLength {
        response.headers_mut().insert(CONTENT_LENGTH, (FRAMES * FRAME.len()).into());
    }
    response
}

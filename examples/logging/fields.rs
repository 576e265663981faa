//! Fields that the formatter reads from the request context for each event.

use std::fmt;

use tower_request_context::RequestContext;
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Registry,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::{self, JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
};

use super::{Route, UserId};

/// Returns the current values of the fields, or `None` outside of any request.
fn fields() -> Option<[(&'static str, String); 3]> {
    let context = RequestContext::current()?;
    Some([
        ("request_id", context.id().map_or_else(String::new, |id| id.to_string())),
        ("route", context.with(|Route(route)| route.clone()).unwrap_or_default()),
        ("user", context.with(|UserId(user)| user.to_string()).unwrap_or_else(|| "anonymous".into())),
    ])
}

/// Adds dynamic fields to the formatter of `json-subscriber`. Events should have no fields of the same names, which
/// would appear twice on the line.
pub(crate) fn json_subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let mut layer = json_subscriber::layer().with_writer(writer).flatten_event(true);
    layer = layer.with_current_span(false).with_span_list(false);
    layer.inner_layer_mut().add_multiple_dynamic_fields(|_, _, line| {
        for (name, value) in fields().into_iter().flatten() {
            line.write_field(name, value).expect("a string can be written as JSON");
        }
    });
    Registry::default().with(LevelFilter::INFO).with(layer)
}

/// Wraps the JSON formatter of `tracing-subscriber` in a [`FormatEvent`] that adds the fields.
pub(crate) fn format_event<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let json = format::json().flatten_event(true).with_current_span(false).with_span_list(false);
    tracing_subscriber::fmt().fmt_fields(JsonFields::new()).event_format(WithFields(json)).with_writer(writer).finish()
}

struct WithFields<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithFields<F>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(fields) = fields() else { return self.0.format_event(cx, writer, event) };
        let mut line = String::new();
        self.0.format_event(cx, Writer::new(&mut line), event)?;
        // Inserts the fields at the start of the JSON object.
        let fields = fields.map(|(name, value)| format!("\"{name}\":{},", serde_json::Value::from(value)));
        write!(writer, "{{{}{}", fields.concat(), line.trim_start_matches('{'))
    }
}

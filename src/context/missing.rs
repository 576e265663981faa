//! The panic of [`RequestContext::expect`].

use std::any::type_name;

use super::RequestContext;
use crate::ContextError;

/// How many names of types the message lists, so that it stays readable.
const MAX_LISTED: usize = 16;

/// Generic wrappers that are easily forgotten when a value is inserted or read.
const WRAPPERS: [&str; 6] = ["Arc", "Box", "Cow", "Mutex", "Option", "RwLock"];

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn panic(error: ContextError, method: &str) -> ! {
    match (error, RequestContext::current()) {
        (ContextError::Missing { .. }, Some(context)) => {
            let present = context.type_names();
            panic!("{error}; {}{}", near_misses(method, &present), list(&present))
        }
        _ => panic!("cannot read `{method}`: {error}"),
    }
}

/// Points out the types whose names differ from the one method for in wrappers only, or not at all.
fn near_misses(method: &str, present: &[&str]) -> String {
    let near = present.iter().filter(|name| unwrapped(name) == unwrapped(method));
    near.map(|name| remark(method, name)).collect()
}

fn remark(method: &str, name: &str) -> String {
    if name == method {
        // The name of a type does not tell versions of its crate apart.
        format!(
            "another type called `{name}` is there, perhaps from a second version of its crate (see `cargo tree -d`); "
        )
    } else {
        format!("`{name}` is there: read that type, or insert `{method}`; ")
    }
}

fn list(present: &[&str]) -> String {
    if present.is_empty() {
        return String::from("the context holds no values");
    }
    let (listed, rest) = present.split_at(present.len().min(MAX_LISTED));
    let listed = listed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!("the context holds {listed}{rest}")
}

/// The name of a type without references and [`WRAPPERS`]. Names are compared, since the type inside an `Option<_>` that is
/// method for has no `TypeId` here; what they look like is not guaranteed, so this is for hints only.
fn unwrapped(name: &str) -> &str {
    let mut name = name;
    loop {
        name = match name.strip_prefix('&').or_else(|| argument_of_wrapper(name)) {
            Some(inner) => inner,
            None if name == type_name::<String>() => type_name::<str>(),
            None => return name,
        };
    }
}

fn argument_of_wrapper(name: &str) -> Option<&str> {
    let (path, argument) = name.strip_suffix('>')?.split_once('<')?;
    let wrapper = path.rsplit("::").next()?;
    WRAPPERS.contains(&wrapper).then_some(argument.strip_prefix("'_, ").unwrap_or(argument)) // as in `Cow<'_, str>`
}

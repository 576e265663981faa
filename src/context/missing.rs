//! The panic message of [`RequestContext::expect`].

use std::any::type_name;

use super::RequestContext;
use crate::ContextError;

/// How many type names the message lists at most.
const MAX_NAMES: usize = 16;

/// Wrappers that are easily left out, or added, when a value is inserted or read.
const WRAPPERS: [&str; 6] = ["Arc", "Box", "Cow", "Mutex", "Option", "RwLock"];

#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn panic(error: ContextError, requested: &str) -> ! {
    match (error, RequestContext::current()) {
        (ContextError::Missing { .. }, Some(context)) => {
            let present = context.type_names();
            panic!("{error}; {}{}", hints(requested, &present), list(&present))
        }
        _ => panic!("cannot read `{requested}`: {error}"),
    }
}

/// Returns a hint for each type whose [`unwrapped`] name equals the unwrapped name of the requested type.
fn hints(requested: &str, present: &[&str]) -> String {
    let similar = present.iter().filter(|name| unwrapped(name) == unwrapped(requested));
    similar.map(|name| hint(requested, name)).collect()
}

fn hint(requested: &str, name: &str) -> String {
    if name == requested {
        // The same type in two versions of a crate has the same name.
        format!(
            "a type called `{name}` is there: perhaps from a second version of its crate (see `cargo tree -d`), or its \
             value was set just after this read; "
        )
    } else {
        format!("`{name}` is there: read that type, or insert `{requested}`; ")
    }
}

fn list(present: &[&str]) -> String {
    if present.is_empty() {
        return String::from("the context holds no values");
    }
    let (listed, rest) = present.split_at(present.len().min(MAX_NAMES));
    let listed = listed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!("the context holds {listed}{rest}")
}

/// Returns the name of a type without references and [`WRAPPERS`], and `str` for `String`.
///
/// Hints compare names because the `TypeId` of the type inside a wrapper is not known here. The format of type names is
/// not guaranteed, so this is good enough for hints only.
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

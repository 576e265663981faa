//! The panic messages of `RequestContext::expect`.

use std::{
    any::type_name,
    borrow::Cow,
    sync::{Arc, Mutex},
};

use tower_request_context::{ContextError, RequestContext, Store};

use crate::support::panic_text;

#[derive(Clone, Debug, PartialEq)]
struct UserId(u64);

#[derive(Clone)]
struct Numbered<const N: usize>;

#[test]
fn message_names_the_type_if_there_is_no_context() {
    let message = panic_text(RequestContext::expect::<UserId>);
    assert_eq!(message, format!("cannot read `{}`: {}", type_name::<UserId>(), ContextError::NoContext));
}

#[test]
fn message_lists_the_types_of_the_context() {
    let outer = RequestContext::new(Store::new().with_value(7_u8).with_value("hunter2"));
    let inner = outer.child(Store::new().with_value(UserId(u64::MAX)).with_value('c'));
    inner.set(false);
    inner.remove::<char>();
    let message = message_of::<u16>(&inner);
    let user = type_name::<UserId>();
    assert_eq!(message, format!("{}; the context holds `&str`, `bool`, `{user}`, `u8`", missing::<u16>()));
}

#[test]
fn message_says_that_the_context_is_empty() {
    let message = message_of::<u16>(&RequestContext::new(Store::new()));
    assert_eq!(message, format!("{}; the context holds no values", missing::<u16>()));
}

#[test]
fn message_lists_at_most_16_types() {
    fn name<const N: usize>() -> String {
        format!("`{}`", type_name::<Numbered<N>>())
    }

    macro_rules! numbered {
        ($($n:literal)*) => {{
            let mut names = vec![$(name::<$n>()),*];
            names.sort();
            (Store::new()$(.with_value(Numbered::<$n>))*, names)
        }};
    }

    let (store, names) = numbered!(10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25);
    let context = RequestContext::new(store);
    assert!(message_of::<u8>(&context).ends_with(&format!("; the context holds {}", names.join(", "))));
    context.set(Numbered::<26>);
    assert!(message_of::<u8>(&context).ends_with(&format!("; the context holds {} and 1 more", names.join(", "))));
    context.set(Numbered::<27>);
    assert!(message_of::<u8>(&context).ends_with(&format!("; the context holds {} and 2 more", names.join(", "))));
}

#[test]
fn message_points_out_a_wrapper_around_the_type() {
    assert_near::<UserId, _>(Some(UserId(7)));
    assert_near::<UserId, _>(Arc::new(UserId(7)));
    assert_near::<UserId, _>(Box::new(UserId(7)));
    assert_near::<UserId, _>(&UserId(7));
    assert_near::<UserId, _>(Some(Arc::new(Mutex::new(UserId(7)))));
    assert_near::<Vec<UserId>, _>(Arc::new(vec![UserId(7)]));
}

#[test]
fn message_points_out_the_type_inside_the_wrapper() {
    assert_near::<Option<UserId>, _>(UserId(7));
    assert_near::<Arc<UserId>, _>(UserId(7));
    assert_near::<&UserId, _>(UserId(7));
    assert_near::<Option<UserId>, _>(Arc::new(UserId(7)));
}

#[test]
fn message_points_out_another_string_type() {
    assert_near::<String, _>("text");
    assert_near::<&str, _>(String::from("text"));
    assert_near::<Arc<str>, _>(String::from("text"));
    assert_near::<String, _>(Cow::Borrowed("text"));
    assert_near::<Option<String>, _>("text");
}

#[test]
fn message_points_out_each_related_type_and_no_other() {
    let store = Store::new().with_value(Some(UserId(7))).with_value(Arc::new(UserId(7))).with_value(vec![UserId(7)]);
    let message = message_of::<UserId>(&RequestContext::new(store));
    let remarks: Vec<_> = message.match_indices(" is there: ").collect();
    assert_eq!(remarks.len(), 2, "{message}");
}

#[test]
fn message_points_out_a_type_of_the_same_name() {
    let (store, message_of_local) = {
        #[derive(Clone)]
        struct Local;
        let store = {
            #[derive(Clone)]
            struct Local;
            Store::new().with_value(Local)
        };
        (store, message_of::<Local>)
    };
    let message = message_of_local(&RequestContext::new(store));
    assert!(message.contains(" is there: perhaps from a second version of its crate"), "{message}");
}

/// Asserts that the message points out `Inserted` when `Asked` is read.
fn assert_near<Asked, Inserted>(value: Inserted)
where
    Asked: Clone + Send + Sync + 'static,
    Inserted: Send + Sync + 'static,
{
    let context = RequestContext::new(Store::new().with_value(value));
    let (asked, inserted) = (type_name::<Asked>(), type_name::<Inserted>());
    let remark = format!("`{inserted}` is there: read that type, or insert `{asked}`; ");
    let expected = format!("{}; {remark}the context holds `{inserted}`", missing::<Asked>());
    assert_eq!(message_of::<Asked>(&context), expected);
}

fn message_of<T: Clone + Send + Sync + 'static>(context: &RequestContext) -> String {
    panic_text(|| context.sync_scope(RequestContext::expect::<T>))
}

fn missing<T: Clone + Send + Sync + 'static>() -> String {
    RequestContext::new(Store::new()).try_get::<T>().map(drop).unwrap_err().to_string()
}

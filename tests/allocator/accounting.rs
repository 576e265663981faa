//! A global allocator that counts the allocations of each request. It reads the current context in `alloc` and
//! `dealloc`.
//!
//! Each operation of the library runs here in a context with such a counter. If the library allocates or frees under
//! one of its locks, the allocator's read waits for that lock, and the test fails at its deadline.

#![cfg(test)] // lets clippy see that helpers, too, may `unwrap`

use std::{
    alloc::{GlobalAlloc, Layout, System},
    convert::Infallible,
    future::{Future, pending},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, join, poll};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

/// The numbers of bytes that a request has allocated and freed.
#[derive(Clone, Default)]
struct Account(Arc<Counts>);

#[derive(Default)]
struct Counts {
    allocated: AtomicUsize,
    freed: AtomicUsize,
}

impl Account {
    fn allocated(&self) -> usize {
        self.0.allocated.load(Ordering::Relaxed)
    }

    fn freed(&self) -> usize {
        self.0.freed.load(Ordering::Relaxed)
    }
}

struct Accounting;

// SAFETY: each call is forwarded to the system's allocator with unchanged arguments.
unsafe impl GlobalAlloc for Accounting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        RequestContext::with(|account: &Account| account.0.allocated.fetch_add(layout.size(), Ordering::Relaxed));
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        RequestContext::with(|account: &Account| account.0.freed.fetch_add(layout.size(), Ordering::Relaxed));
        // SAFETY: the caller upholds the contract of `dealloc`, and `pointer` was allocated by `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Accounting = Accounting;

/// One type for each number. There are more types than the filter over types has bits, so some share a bit with
/// `Account`.
#[derive(Clone, Debug, PartialEq)]
struct Value<const N: usize>(Vec<usize>);

impl<const N: usize> Value<N> {
    fn new() -> Self {
        Self(vec![N])
    }
}

macro_rules! for_many_types {
    ($f:ident!: $($n:literal)*) => { $($f!($n);)* };
    ($f:ident!) => {
        for_many_types!($f!:
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
            64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95
            96 97 98 99 100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120
        );
    };
}

/// Runs a test in contexts that hold the account as an initial value, as a value set later, and in a parent.
fn in_each_place(test: impl Fn(&RequestContext) + Send + 'static) {
    let contexts: [fn(Account) -> RequestContext; 3] = [
        |account| RequestContext::new(Store::new().with_value(account)),
        |account| {
            let context = RequestContext::new(Store::new());
            context.set(account);
            context
        },
        |account| RequestContext::new(Store::new().with_value(account)).child(Store::new()),
    ];
    let (sender, receiver) = mpsc::channel();
    let tests = thread::spawn(move || {
        for context in contexts {
            let account = Account::default();
            let context = context(account.clone());
            context.sync_scope(|| test(&context));
            assert!(account.allocated() > 0 && account.freed() > 0);
            sender.send(()).unwrap();
        }
    });
    for _ in contexts {
        // A panic in a test closes the channel. A deadlock exceeds the deadline.
        if receiver.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
            panic!("the allocator waits for a lock that its own thread holds");
        }
    }
    tests.join().unwrap();
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

#[test]
fn allocations_of_a_scope_are_counted_and_others_are_not() {
    let account = Account::default();
    let context = RequestContext::new(Store::new().with_value(account.clone()));
    let bytes = context.sync_scope(|| vec![0_u8; 1000]);
    assert_eq!((account.allocated(), account.freed()), (1000, 0));
    drop(bytes);
    drop(vec![0_u8; 1000]);
    assert_eq!((account.allocated(), account.freed()), (1000, 0));
    context.sync_scope(|| drop(vec![0_u8; 1000]));
    assert_eq!((account.allocated(), account.freed()), (2000, 1000));
}

#[test]
fn values_of_many_types_are_written() {
    in_each_place(|context| {
        macro_rules! write {
            ($n:literal) => {
                RequestContext::set(Value::<$n>::new()).unwrap();
                let reader = RequestContext::current().unwrap();
                // A value that is being read is replaced by another allocation.
                reader.with(|_: &Value<$n>| context.set(Value::<$n>::new()));
                assert_eq!(context.update(|value: &mut Value<$n>| value.0.push($n)), Some(()));
                context.with(|_: &Value<$n>| context.update(|value: &mut Value<$n>| value.0.push($n)));
                assert_eq!(context.get(), Some(Value::<$n>(vec![$n; 3])));
                assert!(!context.set_if_absent(Value::<$n>::new()));
                assert!(context.remove::<Value<$n>>());
                assert!(context.set_if_absent(Value::<$n>::new()));
                assert!(context.remove::<Value<$n>>());
                assert_eq!(context.get_or_insert_with(Value::<$n>::new), Value::<$n>::new());
            };
        }
        for_many_types!(write!);
        assert!(format!("{context:?}").contains("Value<120>"));
    });
}

#[test]
fn values_of_a_store_are_inserted_and_removed() {
    in_each_place(|context| {
        let mut store = Store::new();
        macro_rules! insert {
            ($n:literal) => {
                assert_eq!(store.insert(Value::<$n>::new()), None);
                store.set(Value::<$n>::new());
                assert_eq!(store.insert(Value::<$n>::new()), Some(Value::<$n>::new()));
            };
        }
        for_many_types!(insert!);
        let child = context.child(store);
        assert_eq!(child.sync_scope(RequestContext::get), Some(Value::<120>::new()));
        assert!(child.remove::<Value<7>>());
        drop(child);
    });
}

#[test]
fn values_are_initialized_once() {
    in_each_place(|context| {
        block_on(context.scope(async {
            macro_rules! initialize {
                ($n:literal) => {
                    let value = RequestContext::get_or_init(async || {
                        tokio::task::yield_now().await;
                        Value::<$n>::new()
                    });
                    let other = RequestContext::get_or_init(async || Value::<$n>(Vec::new()));
                    assert_eq!(join!(value, other), (Value::<$n>::new(), Value::<$n>::new()));
                };
            }
            for_many_types!(initialize!);

            // One initializer that waits for another, and one that is cancelled.
            let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
            let text = RequestContext::get_or_init(async || {
                receiver.await.unwrap();
                String::from("text")
            });
            let length =
                RequestContext::get_or_init(async || RequestContext::get_or_init(pending::<String>).await.len());
            let (mut text, mut length) = (pin!(text), pin!(length));
            assert!(poll!(text.as_mut()).is_pending() && poll!(length.as_mut()).is_pending());
            assert_eq!(RequestContext::get_or_init(pending::<u8>).now_or_never(), None);
            sender.send(()).unwrap();
            assert_eq!(join!(text, length), (String::from("text"), 4));
        }));
    });
}

#[test]
fn callbacks_are_registered_and_run() {
    in_each_place(|_| {
        let text = String::from("captured");
        let mut store = Store::new();
        store.on_response(|_| {});
        store.on_end({
            let text = text.clone();
            move |_| drop(text)
        });
        block_on(store.run(async {
            RequestContext::on_end(move |_| drop(text)).unwrap();
        }));
    });
}

#[test]
fn requests_are_served() {
    block_on(async {
        let layer = RequestContextLayer::new(|store, request| {
            store.insert(Account::default());
            store.insert(request.uri.clone());
            store.on_response(|parts| {
                parts.headers.insert("x-allocated", http::HeaderValue::from_static("yes"));
            });
        });
        let service = layer.layer(service_fn(async |_: Request<()>| {
            RequestContext::set(vec![1]).unwrap();
            let account = RequestContext::expect::<Account>();
            let spawned = RequestContext::spawn(async { vec![0_u8; 4096].len() });
            assert_eq!(spawned.await.unwrap(), 4096);
            assert!(account.allocated() >= 4096 && account.freed() >= 4096);
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(vec![0_u8; 1000]))))
        }));
        for _ in 0..100 {
            let response = service.clone().oneshot(Request::new(())).await.unwrap();
            assert_eq!(response.headers()["x-allocated"], "yes");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 1000);
        }
    });
}

#[test]
fn threads_write_while_others_allocate() {
    in_each_place(|context| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    context.sync_scope(|| {
                        macro_rules! write {
                            ($n:literal) => {
                                context.set(Value::<$n>::new());
                                context.update(|value: &mut Value<$n>| value.0.push($n));
                            };
                        }
                        for_many_types!(write!);
                    });
                });
            }
        });
        assert!(context.contains::<Value<120>>());
    });
}

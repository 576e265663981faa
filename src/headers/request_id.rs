//! The request id.

use std::{error::Error, fmt, str::FromStr};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
#[cfg(feature = "request-id")]
use uuid::{NoContext, Timestamp, Uuid};

use crate::{RequestContext, Store};

/// The greatest length of an id, in bytes.
const MAX_LENGTH: usize = 128;

/// The length of a UUID. An id of this length is one allocation, which includes the reference count. Any other id needs
/// a second allocation when it is first cloned.
const UUID_LENGTH: usize = 36;

/// Whether a byte is allowed in an id, by the value of the byte.
static IS_ALLOWED: [bool; 256] = {
    let allowed = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~+/=:;";
    let mut is_allowed = [false; 256];
    let mut index = 0;
    while index < allowed.len() {
        is_allowed[allowed[index] as usize] = true;
        index += 1;
    }
    is_allowed
};

/// The id of a request: 1 to 128 bytes of ASCII letters, digits and `-._~+/=:;`.
///
/// It correlates the logs, the response and the outgoing requests of one request.
///
/// ```
/// use tower_request_context::RequestId;
///
/// let id: RequestId = "Root=1-63441c4a-abcdef012345678912345678".parse()?;
/// assert_eq!(id.as_str().len(), 40);
/// assert!("${jndi:ldap://evil}".parse::<RequestId>().is_err());
/// # Ok::<_, tower_request_context::RequestIdError>(())
/// ```
///
/// A [`RequestIdPolicy`](crate::RequestIdPolicy) assigns an id to each request, and [`RequestContext::id`] returns it.
/// For a background job, insert an id: `Store::new().with_value(RequestId::new_v4()).run(job)`.
///
/// UUIDs, ULIDs, base64, and the ids of Heroku and of AWS load balancers consist of the allowed bytes. There are no
/// spaces, control characters, quotes, brackets, braces, commas, `<`, `>`, `$` or `%` among them. So an id can be
/// printed to a log as it is, and `Debug` shows it. In a shell command, quote it like any other value.
///
/// # Random bits
///
/// The random bits of new ids come from the operating system. That takes a system call for each id. A
/// [`RequestIdPolicy`](crate::RequestIdPolicy) spends most of its time in this call.
///
/// With the feature `fast-rng`, they come from a cryptographically secure generator in the process, the `ThreadRng` of
/// the crate `rand`. Each thread has its own, which gets new bits from the operating system after each 64 KiB. Consider
/// this before you enable it:
///
/// * A process that forks without `exec` copies its generators, and so does a snapshot of a process or virtual machine
///   that is restored more than once. The copies then create the same ids.
/// * Code that can read the memory of the process can compute later ids.
/// * Cargo enables the feature `fast-rng` of `uuid` for the whole program. So it also applies to other crates that use
///   this version of `uuid`, for example to the ids of tower-http's `MakeRequestUuid`.
/// * It adds four crates: `rand`, `rand_core`, `chacha20` and `cpufeatures`.
///
/// With or without the feature, an id is not a secret. Do not use it as a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Creates a random id: a UUID of version 4 ([RFC 9562]), with 122 random bits and no data of the host or process.
    ///
    /// ```
    /// # use tower_request_context::RequestId;
    /// assert_eq!(RequestId::new_v4().as_str().len(), 36);
    /// assert_ne!(RequestId::new_v4(), RequestId::new_v4());
    /// ```
    ///
    /// The [source of the bits](Self#random-bits) depends on the feature `fast-rng`.
    ///
    /// # Panics
    ///
    /// Panics if the operating system cannot provide random bits. With the feature `fast-rng`, it also panics if a
    /// thread calls it during its exit, in the destructor of a thread-local.
    ///
    /// [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4
    #[cfg(feature = "request-id")]
    #[must_use]
    pub fn new_v4() -> Self {
        Self::from_uuid(Uuid::new_v4())
    }

    /// Creates an id that sorts by time: a UUID of version 7 ([RFC 9562]), with the milliseconds since 1970 and 74
    /// random bits.
    ///
    /// ```
    /// # use tower_request_context::RequestId;
    /// assert_eq!(RequestId::new_v7().as_str().as_bytes()[14], b'7');
    /// ```
    ///
    /// Ids that were created in the same millisecond are in random order, because no counter is shared between threads.
    /// The id reveals the time at which it was created. The [source of the random bits](Self#random-bits) depends on
    /// the feature `fast-rng`.
    ///
    /// # Panics
    ///
    /// Panics for the same reasons as [`new_v4`](Self::new_v4), or if the clock is set before 1970.
    ///
    /// [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
    #[cfg(feature = "request-id")]
    #[must_use]
    pub fn new_v7() -> Self {
        Self::from_uuid(Uuid::new_v7(Timestamp::now(NoContext)))
    }

    /// Returns the id as a string slice.
    ///
    /// ```
    /// # use tower_request_context::RequestId;
    /// assert_eq!("job-7".parse::<RequestId>()?.as_str(), "job-7");
    /// # Ok::<_, tower_request_context::RequestIdError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default() // never the default: all allowed bytes are ASCII
    }

    #[cfg(feature = "request-id")]
    fn from_uuid(uuid: Uuid) -> Self {
        let mut bytes = [0; UUID_LENGTH];
        uuid.hyphenated().encode_lower(&mut bytes);
        Self::from_bytes(Bytes::from_owner(bytes))
    }

    /// Validates the bytes and copies them. An id that shared them would keep the server's read buffer alive.
    fn parse_bytes(bytes: &[u8]) -> Result<Self, RequestIdError> {
        if bytes.is_empty() {
            return Err(RequestIdError::Empty);
        }
        if bytes.len() > MAX_LENGTH {
            return Err(RequestIdError::TooLong { length: bytes.len() });
        }
        if let Some(position) = bytes.iter().position(|byte| !IS_ALLOWED[usize::from(*byte)]) {
            return Err(RequestIdError::InvalidCharacter { position });
        }
        Ok(Self::from_bytes(match bytes.try_into() {
            Ok(array) => Bytes::from_owner::<[u8; UUID_LENGTH]>(array),
            Err(_) => Bytes::copy_from_slice(bytes),
        }))
    }

    /// Reads the id from a header. Several values of the header are an error.
    pub(super) fn from_headers(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, RequestIdError> {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Self::try_from(value).map(Some),
            (Some(_), Some(_)) => Err(RequestIdError::Repeated),
        }
    }

    fn from_bytes(bytes: Bytes) -> Self {
        Self(
            HeaderValue::from_maybe_shared(bytes).expect("all bytes that are allowed in an id are allowed in a header"),
        )
    }
}

/// # Request id
impl RequestContext {
    /// Returns the id of the current request, or `None` if it has none or no context is current.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, RequestId, Store};
    /// let store = Store::new().with_value(RequestId::try_from("job-7")?);
    /// let job = store.run(async { RequestContext::id() });
    /// # tokio_test::block_on(async {
    /// assert_eq!(job.await.unwrap().as_str(), "job-7");
    /// # });
    /// assert_eq!(RequestContext::id(), None);
    /// # Ok::<_, tower_request_context::RequestIdError>(())
    /// ```
    #[must_use]
    pub fn id() -> Option<RequestId> {
        Self::get()
    }
}

/// # Request id
impl Store {
    /// Returns the id of the request, which is the [`RequestId`] that this store or a parent holds.
    ///
    /// ```
    /// # use tower_request_context::{RequestId, Store};
    /// let id = RequestId::new_v7();
    /// assert_eq!(Store::new().with_value(id.clone()).id(), Some(id));
    /// ```
    #[must_use]
    pub fn id(&self) -> Option<RequestId> {
        self.get()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = RequestIdError;

    fn from_str(id: &str) -> Result<Self, RequestIdError> {
        Self::parse_bytes(id.as_bytes())
    }
}

impl TryFrom<&str> for RequestId {
    type Error = RequestIdError;

    fn try_from(id: &str) -> Result<Self, RequestIdError> {
        id.parse()
    }
}

impl TryFrom<String> for RequestId {
    type Error = RequestIdError;

    fn try_from(id: String) -> Result<Self, RequestIdError> {
        id.parse()
    }
}

impl TryFrom<&HeaderValue> for RequestId {
    type Error = RequestIdError;

    fn try_from(value: &HeaderValue) -> Result<Self, RequestIdError> {
        Self::parse_bytes(value.as_bytes())
    }
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

/// The error returned when a [`RequestId`] is not valid.
///
/// It does not contain the invalid id, which may contain control sequences for a log viewer.
///
/// ```
/// use tower_request_context::{RequestId, RequestIdError};
///
/// assert_eq!("".parse::<RequestId>(), Err(RequestIdError::Empty));
/// let error = "two words".parse::<RequestId>().unwrap_err();
/// assert!(matches!(error, RequestIdError::InvalidCharacter { position: 3, .. }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestIdError {
    /// The id is empty.
    Empty,
    /// The header has several values.
    Repeated,
    /// The id is longer than 128 bytes.
    #[non_exhaustive]
    TooLong {
        /// The length of the id in bytes.
        length: usize,
    },
    /// A byte of the id is not allowed.
    #[non_exhaustive]
    InvalidCharacter {
        /// The position of the first such byte, counted from 0.
        position: usize,
    },
}

impl fmt::Display for RequestIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a request id must not be empty"),
            Self::Repeated => f.write_str("a request id must be the only value of its header"),
            Self::TooLong { length } => write!(f, "a request id has at most {MAX_LENGTH} bytes, not {length}"),
            Self::InvalidCharacter { position } => write!(
                f,
                "byte {position} of the id, counted from 0, is not allowed: a request id consists of ASCII letters, \
                 digits and `-._~+/=:;`",
            ),
        }
    }
}

impl Error for RequestIdError {}

//! The service over HTTP: what `s3s` is told, what stands before it, and one connection.

use super::{
    Face,
    access::{Auth, Keys},
    context::Source,
    cross_origin::{Asked, CrossOrigin},
    form,
    forward::{self, Reach},
    front::{self, Front, XML_MAX},
    idle::{Moving, Progress},
    ranges,
};
use crate::{causality::SiteId, engine::Engine, env::Env};
use hyper::{
    Method, Request, Version,
    body::{Body as _, Incoming},
    header::{self, HeaderValue},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use s3s::{
    HttpError, HttpResponse,
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
};
use std::{
    collections::BTreeSet,
    error::Error,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};

/// How the face behaves. Defaults are those of a deployed site.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where buckets are said to be.
    pub region: String,
    /// Whether URLs and forms may be signed with version 2.
    pub allow_sigv2: bool,
    /// Whether requests may be signed with version 2 in their headers.
    pub sigv2_headers: bool,
    /// Requests at the same time; further ones are answered 503 SlowDown.
    pub requests_max: usize,
    /// How long a client may take for a request's head, send nothing of its body, and be idle between two requests.
    pub idle_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            allow_sigv2: true,
            sigv2_headers: false,
            requests_max: 1024,
            idle_timeout: Duration::from_mins(1),
        }
    }
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The operation's name; `unknown` if the request was refused before it had one.
    pub operation: String,
    /// The answer's status.
    pub status: u16,
    /// From the request's head to the answer's.
    pub took: Duration,
}

/// Who is told of each answer.
pub trait Observe: Send + Sync + 'static {
    /// A request was answered. Must not block.
    fn answered(&self, answered: &Answered);
}

/// Nobody is told.
impl Observe for () {
    fn answered(&self, _: &Answered) {}
}

/// Where the operation's name is noted, once `s3s` has found it.
#[derive(Clone, Default)]
pub(super) struct Operation(pub(super) Arc<OnceLock<String>>);

impl Operation {
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.get().is_some_and(|own| own == name)
    }
}

/// Answers S3 requests. Cheap to clone.
pub struct Service<E: Env> {
    env: E,
    s3s: S3Service,
    face: Face<E>,
    settings: Arc<Settings>,
    slots: Arc<Semaphore>,
    front: Arc<Front>,
    observer: Arc<dyn Observe>,
    source: Option<Source>,
    /// Whether the other side is a peer that hands on its client's requests.
    is_guest: bool,
    /// The other sites, and the way to them; without it nothing is handed on.
    reach: Option<(Arc<BTreeSet<SiteId>>, Reach<E>)>,
    cross_origin: CrossOrigin<E>,
}

impl<E: Env> Clone for Service<E> {
    fn clone(&self) -> Self {
        let Self { env, s3s, face, settings, slots, front, observer, source, is_guest, reach, cross_origin } =
            self;
        Self {
            env: env.clone(),
            s3s: s3s.clone(),
            face: face.clone(),
            settings: settings.clone(),
            slots: slots.clone(),
            front: front.clone(),
            observer: observer.clone(),
            source: *source,
            is_guest: *is_guest,
            reach: reach.clone(),
            cross_origin: cross_origin.clone(),
        }
    }
}

/// The S3 service of a site.
pub fn service<E: Env>(
    engine: Engine<E>,
    keys: &Arc<Keys>,
    settings: Settings,
    observer: Arc<dyn Observe>,
) -> Service<E> {
    let mut config = S3Config::default();
    config.xml_max_body_size = XML_MAX;
    let env = engine.env().clone();
    let region = settings.region.clone();
    let auth = || Auth {
        env: env.clone(),
        keys: keys.clone(),
        allow_sigv2: settings.allow_sigv2,
        sigv2_headers: settings.sigv2_headers,
    };
    let cross_origin = CrossOrigin(engine.clone());
    let allow_sigv2 = settings.allow_sigv2;
    let face = Face { engine, keys: keys.clone(), region, allow_sigv2, policies: Arc::default() };
    let config = Arc::new(StaticConfigProvider::new(Arc::new(config)));
    let builder = || {
        let mut builder = S3ServiceBuilder::new(face.clone());
        builder.set_config(config.clone());
        builder.set_access(auth());
        builder
    };
    let whole = ranges::Whole(builder().build());
    let mut builder = builder();
    builder.set_auth(auth());
    builder.set_route(whole);
    let s3s = builder.build();
    let slots = Arc::new(Semaphore::new(settings.requests_max));
    let front = Arc::new(Front::new(keys.clone()));
    let settings = Arc::new(settings);
    let (source, is_guest, reach) = (None, false, None);
    Service { env, s3s, face, settings, slots, front, observer, source, is_guest, reach, cross_origin }
}

impl<E: Env> Service<E> {
    /// The same for the requests of one connection: policies may ask where they come from.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.source = Some(Source(address.to_canonical()));
        self
    }

    /// The same, handing on what other sites keep.
    #[must_use]
    pub fn reaching(mut self, others: BTreeSet<SiteId>, reach: Reach<E>) -> Self {
        self.reach = Some((Arc::new(others), reach));
        self
    }

    /// The same for a connection on which a peer hands on its clients' requests: they go no further, and the peer is
    /// believed where its client is.
    #[must_use]
    pub fn for_guests(mut self) -> Self {
        (self.is_guest, self.reach) = (true, None);
        self
    }

    async fn answer(self, mut request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
        let began = self.env.monotonic();
        let operation = Operation::default();
        request.extensions_mut().insert(operation.clone());
        let told = forward::take_source(request.headers_mut(), self.is_guest);
        if let Some(source) = told.or(self.source) {
            request.extensions_mut().insert(source);
        }
        let id = format!("{:016X}", self.env.random_u64());
        let mut answer = match self.slots.clone().try_acquire_owned() {
            // A slot is for the head of the answer: a client that reads slowly holds a connection, not a slot.
            Ok(_slot) => self.call(request).await?,
            Err(_) => front::refusal(front::overloaded()),
        };
        front::finish(&mut answer, &operation, &id);
        let headers = answer.headers_mut();
        headers.insert("x-amz-request-id", HeaderValue::from_str(&id).expect("hex is ASCII"));
        headers.insert(header::SERVER, HeaderValue::from_static("Anabranch"));
        let took = self.env.monotonic().saturating_sub(began);
        let operation = operation.0.get().cloned().unwrap_or_else(|| "unknown".into());
        self.observer.answered(&Answered { operation, status: answer.status().as_u16(), took });
        Ok(answer)
    }

    async fn call(&self, request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
        let progress = Progress::default();
        let is_http1 = request.version() <= Version::HTTP_11;
        let request = request.map(|body| {
            if body.is_end_stream() {
                return s3s::Body::empty();
            }
            let limit = self.settings.idle_timeout;
            s3s::Body::http_body_unsync(Moving::new(self.env.clone(), limit, body, progress.clone()))
        });
        if let Some((others, reach)) = &self.reach
            && let Some(site) = forward::keeper(&request).filter(|site| others.contains(site))
        {
            if let Some(operation) = request.extensions().get::<Operation>() {
                let _ = operation.0.set("Forwarded".into());
            }
            let limit = self.settings.idle_timeout;
            let answer = forward::send(&self.env, reach, site, request, limit, &progress).await;
            return Ok(answer);
        }
        if request.method() == Method::OPTIONS {
            return Ok(self.cross_origin.preflight(&request).await);
        }
        let page = Asked::of(&request);
        let mut answer = if form::is_form(&request) {
            self.face.post_form(request).await.unwrap_or_else(front::refusal)
        } else {
            match self.front.admit(request).await {
                Ok(request) => self.s3s.call(request).await?,
                Err(error) => front::refusal(error),
            }
        };
        if progress.is_stalled() {
            answer = front::refusal(front::stalled());
        }
        if let Some(page) = page {
            self.cross_origin.tell(&page, &mut answer).await;
        }
        if is_http1 && progress.is_unread() {
            // What is left of the body is not taken for the next request: the connection ends, and the client is told
            // before it sends one.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }
}

impl<E: Env> hyper::service::Service<Request<Incoming>> for Service<E> {
    type Response = HttpResponse;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

/// Serves one connection, HTTP/1.1 or 2, until either side ends it, or `graceful` is asked to shut down and its requests
/// are answered. The future does not borrow: it is for a task of its own.
pub fn serve_connection<E: Env>(
    service: Service<E>,
    conn: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    graceful: &GracefulShutdown,
) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'static {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(service.settings.idle_timeout);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(service.settings.idle_timeout / 2)
        .keep_alive_timeout(service.settings.idle_timeout / 2);
    let serving = server.serve_connection(TokioIo::new(conn), service).into_owned();
    graceful.watch(serving)
}

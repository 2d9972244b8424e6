//! A server with a small schema, and a client for its sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::parser::types::{OperationDefinition, Selection};
use async_graphql::{Context, ID, Object, Schema, SimpleObject, Subscription};
use async_trait::async_trait;
use doorbuster::api::graphql::context::ContextExt as _;
use doorbuster::api::graphql::edge::documents::trusted;
use doorbuster::api::graphql::edge::execution::shortcut::{Plan, Planned, Ready, Shortcut};
use doorbuster::api::graphql::edge::{AuthUnavailable, Authenticate, Edge, Parts, SlotReporter, VersionReporter};
use doorbuster::api::graphql::error::Code;
use doorbuster::api::health::{self, Check, Note, Vitals};
use doorbuster::api::router::{router, serve};
use doorbuster::config::Config;
use doorbuster::kernel::{Clock, Rng, UserId};
use doorbuster::model::accounts::{Role, Viewer};
use futures_util::{SinkExt as _, Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

/// Nothing here takes this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the schema's fields touch.
pub struct State {
    pub bumps: AtomicUsize,
    pub executions: AtomicUsize,
    pub live: AtomicUsize,
    pub started: Notify,
    pub go_on: Notify,
    pub stock: broadcast::Sender<(String, i32)>,
    /// How many items of `flood` were asked for.
    pub flooded: AtomicUsize,
    /// Who called `look`, in order.
    pub looked: std::sync::Mutex<Vec<i32>>,
}

/// A document that the server trusts.
pub const TRUSTED: &str = "query Role { role }";

/// One that it would, if it fitted the schema.
pub const UNFIT: &str = "{ nope }";

pub struct Query;

#[Object]
impl Query {
    /// Says that it has started, then waits to be let go on.
    async fn later(&self, ctx: &Context<'_>) -> usize {
        let state = ctx.data_unchecked::<Arc<State>>();
        state.started.notify_one();
        state.go_on.notified().await;
        state.executions.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    async fn look(&self, ctx: &Context<'_>, who: i32) -> i32 {
        ctx.data_unchecked::<Arc<State>>().looked.lock().unwrap().push(who);
        who
    }

    async fn double(&self, n: i32) -> i32 {
        n.wrapping_mul(2)
    }

    async fn role(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.viewer().map(|viewer| viewer.role.as_str().to_owned())
    }

    async fn me(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        ctx.require_viewer().map(|viewer| viewer.id.to_string())
    }

    async fn fail(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err("a secret of the database".into()))
    }

    async fn panic(&self) -> i32 {
        panic!("on purpose")
    }

    async fn never(&self) -> i32 {
        std::future::pending().await
    }

    async fn big(&self, bytes: usize) -> String {
        "x".repeat(bytes)
    }

    /// Signs in with this token, or out with none.
    async fn session(&self, ctx: &Context<'_>, token: String) -> bool {
        ctx.insert_http_header(doorbuster::api::graphql::context::SESSION, token);
        true
    }

    async fn address(&self, ctx: &Context<'_>) -> String {
        ctx.request().address.to_string()
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn bump(&self, ctx: &Context<'_>) -> usize {
        ctx.data_unchecked::<Arc<State>>().bumps.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Says that it has started, then waits to be let go on.
    async fn bump_later(&self, ctx: &Context<'_>) -> usize {
        let state = ctx.data_unchecked::<Arc<State>>();
        state.started.notify_one();
        state.go_on.notified().await;
        state.bumps.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn sale_purchase(&self, n: i32) -> i32 {
        n
    }
}

#[derive(SimpleObject, Clone)]
pub struct SaleStock {
    sale_id: String,
    stock_remaining: i32,
}

pub struct Subscriptions;

/// Counts executions that are alive.
struct Alive(Arc<State>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

#[Subscription]
impl Subscriptions {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }

    /// Versions from the one that is known already.
    async fn versions(&self, ctx: &Context<'_>, to: u32) -> impl Stream<Item = u32> {
        let reporter = ctx.data_opt::<VersionReporter>().cloned();
        let known = ctx.request().known_version.unwrap_or(0);
        stream::iter(known + 1..=to).inspect(move |version| {
            if let Some(reporter) = &reporter {
                reporter.set(*version);
            }
        })
    }

    async fn silence(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let alive = alive(ctx);
        stream::pending().map(move |()| alive.0.live.load(Ordering::SeqCst) as i32)
    }

    async fn forbidden(&self) -> async_graphql::Result<stream::Pending<i32>> {
        Err(Code::Forbidden.error("Not yours."))
    }

    async fn breaks(&self) -> impl Stream<Item = async_graphql::Result<i32>> {
        stream::iter([Ok(1), Err("a secret".into()), Ok(3)])
    }

    async fn flood(&self, ctx: &Context<'_>, bytes: usize) -> impl Stream<Item = String> {
        let state = ctx.data_unchecked::<Arc<State>>().clone();
        stream::repeat_with(move || {
            state.flooded.fetch_add(1, Ordering::SeqCst);
            "x".repeat(bytes)
        })
    }

    async fn sale_stock_changed(&self, ctx: &Context<'_>, sale_ids: Vec<ID>) -> impl Stream<Item = SaleStock> {
        let slots = ctx.data_unchecked::<SlotReporter>().clone();
        let alive = alive(ctx);
        let changes = alive.0.stock.subscribe();
        alive.0.executions.fetch_add(1, Ordering::SeqCst);
        let wanted: Vec<String> = sale_ids.iter().map(|id| id.to_string()).collect();
        let snapshot: Vec<_> = wanted.iter().map(|id| (id.clone(), 100)).collect();
        let live = stream::unfold((changes, alive), |(mut changes, alive)| async {
            let change = changes.recv().await.ok()?;
            Some((change, (changes, alive)))
        });
        stream::iter(snapshot).chain(live).filter_map(move |(sale_id, stock_remaining)| {
            let slot = wanted.iter().position(|id| *id == sale_id);
            if let Some(slot) = slot {
                slots.push(slot as u64);
            }
            std::future::ready(slot.map(|_| SaleStock { sale_id, stock_remaining }))
        })
    }
}

fn alive(ctx: &Context<'_>) -> Alive {
    let state = ctx.data_unchecked::<Arc<State>>().clone();
    state.live.fetch_add(1, Ordering::SeqCst);
    Alive(state)
}

/// Knows `buyer` and `operator`; `down` can't be checked; `once` is good one time.
#[derive(Default)]
pub struct Tokens {
    once: AtomicUsize,
}

#[async_trait]
impl Authenticate for Tokens {
    async fn viewer(&self, token: &str) -> Result<Option<Viewer>, AuthUnavailable> {
        let viewer = |role| Some(Viewer::new(UserId::from_bytes([7; 16]), role));
        Ok(match token {
            "buyer" => viewer(Role::Buyer),
            "operator" => viewer(Role::Operator),
            "once" if self.once.fetch_add(1, Ordering::SeqCst) == 0 => viewer(Role::Buyer),
            "down" => return Err(AuthUnavailable),
            _ => None,
        })
    }
}

/// The way around the executor for the operation `ShortBump`: it does what `bumpLater` does.
struct ShortBump(Arc<State>);

impl Shortcut for ShortBump {
    fn plan(&self, operation: &OperationDefinition) -> Option<Arc<dyn Plan>> {
        let Selection::Field(field) = &operation.selection_set.node.items.first()?.node else { return None };
        let fits = field.node.alias.as_ref().is_some_and(|alias| alias.node == "short");
        fits.then(|| Arc::new(Self(self.0.clone())) as Arc<dyn Plan>)
    }
}

impl Plan for ShortBump {
    fn read(&self, _: &str) -> Option<Ready> {
        let state = self.0.clone();
        Some(Box::new(move |_| {
            Some(Box::pin(async move {
                state.started.notify_one();
                state.go_on.notified().await;
                state.bumps.fetch_add(1, Ordering::SeqCst);
                Planned::Done("{\"data\":{\"short\":1}}".into())
            }))
        }))
    }
}

struct Healthy;

impl Vitals for Healthy {
    fn checks(&self) -> Vec<Check> {
        vec![Check { name: "test".into(), ready: true, reason: None }]
    }

    fn notes(&self) -> Vec<Note> {
        vec![Note { name: "away".into(), healthy: false, reason: Some("it does not answer".into()) }]
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub edge: Edge,
    pub state: Arc<State>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<()>,
}

/// With the settings that come with the program.
pub async fn start() -> Server {
    start_with(|_| {}).await
}

/// With changed settings.
pub async fn start_with(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default_embedded();
    change(&mut config);
    let state = Arc::new(State {
        bumps: AtomicUsize::new(0),
        executions: AtomicUsize::new(0),
        live: AtomicUsize::new(0),
        started: Notify::new(),
        go_on: Notify::new(),
        stock: broadcast::channel(64).0,
        flooded: AtomicUsize::new(0),
        looked: std::sync::Mutex::default(),
    });
    let schema = Schema::build(Query, Mutation, Subscriptions).data(state.clone()).finish();
    let shutdown = CancellationToken::new();
    let edge = Edge::new(
        schema,
        Parts {
            auth: Arc::new(Tokens::default()),
            config: config.graphql.clone().into(),
            access: config.access.clone().into(),
            limits: config.limits.clone().into(),
            tally: None,
            trusted: [TRUSTED, UNFIT].map(|text| (trusted::id(text), text.to_owned())).into(),
            body_max: *config.server.body_max,
            read_timeout: *config.server.read_timeout,
            clock: Clock::system(),
            rng: Rng::seeded(1),
            shutdown: shutdown.clone(),
            close_over: Duration::from_millis(64),
            shared_fields: &["saleStockChanged"],
            operators_fields: &[],
            operators_streams_max: 1,
            once_fields: &["salePurchase"],
            shortcut: Some(Arc::new(ShortBump(state.clone()))),
        },
    );
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    let routes = router(edge.clone(), health::routes(Arc::new(Healthy)), *config.server.body_max);
    let stop = shutdown.clone();
    let serving = tokio::spawn(async move { serve(listener, routes, stop, &config.server).await });
    Server { address, edge, state, shutdown, serving }
}

impl Server {
    pub fn url(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    /// A socket that has spoken its first words, as nobody.
    pub async fn socket(&self) -> Socket {
        let mut socket = Socket::open(self.address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await;
        socket.init(Value::Null).await;
        socket
    }

    /// A socket that has said nothing yet.
    pub async fn raw_socket(&self) -> Socket {
        Socket::open(self.address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await
    }
}

/// A client's end of a socket.
pub struct Socket(pub WebSocketStream<TcpStream>);

impl Socket {
    pub async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        Self(client_async(request, stream).await.unwrap().0)
    }

    pub async fn init(&mut self, payload: Value) {
        self.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(self.next().await, json!({"type": "connection_ack"}));
    }

    pub async fn send(&mut self, message: Value) {
        self.text(&message.to_string()).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({"id": id, "type": "subscribe", "payload": {"query": query}})).await;
    }

    /// The next message that is not a ping of the transport.
    pub async fn message(&mut self) -> Option<Message> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message in time") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The close frame that must come next.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.message().await {
            Some(Message::Close(Some(frame))) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("no close: {other:?}"),
        }
    }

    /// Whatever was sent before has been dealt with, and nothing else was answered.
    pub async fn quiet(&mut self) {
        self.send(json!({"type": "ping", "payload": {"mark": true}})).await;
        assert_eq!(self.next().await, json!({"type": "pong", "payload": {"mark": true}}));
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::task::yield_now().await;
    }
}

use std::io::Write as _;

use super::bounds::out_of_bounds;
use super::document::DEFAULT;
use super::*;

fn problems(text: &str) -> Vec<String> {
    match Config::from_toml(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Sources { environment, ..Sources::default() }
}

fn flag(assignment: &str) -> Flag {
    Flag { name: "--set", assignment: assignment.to_owned() }
}

#[test]
fn the_defaults_are_valid() {
    let config = Config::default_embedded();
    assert_eq!(config.store.url.expose(), "sqlite://data/doorbuster.db");
    assert_eq!(*config.accounts.hash_memory, 19 * 1024 * 1024);
    assert_eq!(config.server.listen.port(), 8080);
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn the_defaults_have_exactly_the_keys_of_the_structs() {
    let schema = schema::base();
    let mut fields = Vec::new();
    for (section, keys) in schema["properties"].as_object().unwrap() {
        fields.extend(keys["properties"].as_object().unwrap().keys().map(|key| format!("{section}.{key}")));
    }
    let defaults: toml::Table = DEFAULT.parse().unwrap();
    let keys = |(section, keys): (&String, &toml::Value)| -> Vec<String> {
        keys.as_table().unwrap().keys().map(|key| format!("{section}.{key}")).collect()
    };
    let mut keys: Vec<String> = defaults.iter().flat_map(keys).collect();
    fields.sort();
    keys.sort();
    assert_eq!(fields, keys);
}

#[test]
fn every_default_is_documented() {
    let mut before = "";
    for line in DEFAULT.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with("# ") && before.ends_with(['.', '`']), "no comment above: {line}");
        }
        before = line;
    }
}

#[test]
fn every_number_time_and_size_is_bounded() {
    let layers = Layers::read(&Sources::default());
    for entry in layers.entries() {
        let property = layers.property(entry).unwrap();
        let bounded = match &entry.value {
            toml::Value::Integer(_) => property["minimum"].is_i64() && property["maximum"].is_i64(),
            toml::Value::String(_) => match property["format"].as_str() {
                Some("span") => ["x-min", "x-max"].iter().all(|b| Span::parse(property[b].as_str().unwrap()).is_ok()),
                Some("size") => ["x-min", "x-max"].iter().all(|b| Size::parse(property[b].as_str().unwrap()).is_ok()),
                _ => true,
            },
            _ => true,
        };
        assert_eq!(out_of_bounds(property, &entry.value), None, "{}", entry.path());
        assert!(bounded, "{} has no bounds", entry.path());
    }
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/config.schema.json");
    let committed: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(committed == schema::generate(), "stale: run `doorbuster config schema > schema/config.schema.json`");
}

#[test]
fn later_layers_win() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[gate]\nbatch = 10\nqueue = 11\nretention = \"1h\"\n").unwrap();
    let mut sources =
        environment(&[("DOORBUSTER__GATE__QUEUE", "12"), ("DOORBUSTER__GATE__RETENTION", "2h"), ("PATH", "/")]);
    sources.file = Some(file.path().to_owned());
    sources.flags = vec![flag("gate.retention=3h"), flag("server.graphiql=false")];
    let layers = Layers::read(&sources);
    let config = layers.config().unwrap();
    assert_eq!((config.gate.batch, config.gate.queue), (10, 12));
    assert_eq!(*config.gate.retention, std::time::Duration::from_secs(3 * 3600));
    assert!(!config.server.graphiql);
    assert_eq!(config.orders.writer_batch, 500);

    let text = layers.render();
    assert!(text.contains(&format!("\nbatch = 10 # {}:2:1\n", file.path().display())), "{text}");
    assert!(text.contains("\nqueue = 12 # DOORBUSTER__GATE__QUEUE\n"), "{text}");
    assert!(text.contains("\nretention = \"3h\" # --set\n"), "{text}");
    assert!(text.contains("\n[store]\nurl = \"sqlite://data/doorbuster.db\" # default\n"), "{text}");
    let again = Config::from_toml(&text).unwrap();
    assert_eq!(format!("{again:?}"), format!("{config:?}"), "what is printed can be read back");
}

#[test]
fn unknown_names_are_refused_with_the_place_and_the_nearest_one() {
    assert_eq!(
        problems(
            "[server]\nlisten = \"0.0.0.0:80\"\n  lisen = 1\n[gaet]\nbatch = 1\nqueue = 1\n[empty]\n[hub]\nreaders = 1\n"
        ),
        [
            "config:3:3: unknown key `lisen` in [server]; did you mean `listen`?",
            "config:4:2: unknown section [gaet]; did you mean [gate]?",
            "config:7:2: unknown section [empty]; \
             there are node, shop, store, gate, broker, accounts, sales, orders, payments, points, tcc, server, graphql, access, \
             limits, hub, upgrade, log",
            "config:9:1: unknown key `readers` in [hub]; `readers` belongs to [store]",
        ]
    );
    assert_eq!(
        problems("listen = 1\n"),
        ["config:1:1: unknown key `listen` outside of a section; `listen` belongs to [server]"]
    );
    let errors = Config::load(&environment(&[
        ("DOORBUSTER__SERVER__LISEN", "x"),
        ("DOORBUSTER__SEVRER__LISTEN", "x"),
        ("DOORBUSTER__LISTEN", "x"),
        ("DOORBUSTER_SERVICE_HOST", "10.0.0.1"),
    ]));
    let errors: Vec<_> = errors.unwrap_err().0.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "DOORBUSTER__SERVER__LISEN: unknown key `lisen` in [server]; did you mean `listen`?",
            "DOORBUSTER__SEVRER__LISTEN: unknown section [sevrer]; did you mean [server]?",
            "DOORBUSTER__LISTEN: is not of the form DOORBUSTER__SECTION__KEY",
        ]
    );
}

#[test]
fn wrong_values_are_refused_all_at_once() {
    assert_eq!(
        problems(
            "[store]\nreaders = \"four\"\nbusy_timeout = 5\nconnections = -1\nwriter_batch = 1.5\n[gate]\nretention = \"30\"\n\
             batch = 0\n[server]\nlisten = \"here\"\nbody_max = \"64KB\"\ngraphiql = 1\n[broker]\npartitions = 1025\n\
             publish_timeout = \"6m\"\n[accounts]\nhash_memory = \"8191B\"\n[log]\nformat = \"xml\"\n"
        ),
        [
            "config:2:1: store.readers: invalid type: string \"four\", expected a whole number",
            "config:3:1: store.busy_timeout: `5` has no unit; write a whole number and one of ms, s, m, h, d, such as \"30s\"",
            "config:4:1: store.connections: must be between 1 and 1000",
            "config:5:1: store.writer_batch: invalid type: floating point `1.5`, expected a whole number",
            "config:7:1: gate.retention: `30` has no unit; write a whole number and one of ms, s, m, h, d, such as \"30s\"",
            "config:8:1: gate.batch: must be between 1 and 1024",
            "config:10:1: server.listen: invalid socket address syntax",
            "config:11:1: server.body_max: `64KB` has the unknown unit `KB`; \
             write a whole number and one of B, KiB, MiB, GiB, such as \"64KiB\"",
            "config:12:1: server.graphiql: invalid type: integer `1`, expected a boolean",
            "config:14:1: broker.partitions: must be between 1 and 1024",
            "config:15:1: broker.publish_timeout: must be between 1ms and 5m",
            "config:17:1: accounts.hash_memory: must be between 8KiB and 4GiB",
            "config:19:1: log.format: unknown variant `xml`, expected `text` or `json`",
        ]
    );
    let mut sources = environment(&[("DOORBUSTER__GATE__BATCH", "many"), ("DOORBUSTER__SERVER__GRAPHIQL", "yes")]);
    sources.flags = vec![flag("hub.stock_tick=5"), flag("nonsense")];
    sources.file = Some("no/such.toml".into());
    let text = Config::load(&sources).unwrap_err().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "5 problems in the configuration:");
    assert!(lines[1].starts_with("  no/such.toml: can't be read: "), "{text}");
    assert_eq!(lines[2], "  DOORBUSTER__GATE__BATCH: gate.batch: expected a whole number, found `many`");
    assert_eq!(lines[3], "  DOORBUSTER__SERVER__GRAPHIQL: server.graphiql: expected `true` or `false`, found `yes`");
    assert!(lines[4].starts_with("  --set: hub.stock_tick: `5` has no unit"), "{text}");
    assert_eq!(lines[5], "  --set: is not of the form section.key=value");
}

#[test]
fn values_lose_what_surrounds_them_wherever_they_come_from() {
    let document =
        "\u{feff}[store]\r\nurl = \" sqlite://shop.db\\r\\n\"\r\n[access]\norigins = [\" https://a.example \"]\n";
    let config = Config::from_toml(document).unwrap();
    assert_eq!(
        (config.store.url.expose(), config.access.origins),
        ("sqlite://shop.db", vec!["https://a.example".into()])
    );
    let mut sources = environment(&[
        ("DOORBUSTER__STORE__URL", "\u{feff}sqlite://shop.db\r"),
        ("DOORBUSTER__SERVER__LISTEN", " 127.0.0.1:80\n"),
        ("DOORBUSTER__SERVER__GRAPHIQL", "false\r"),
        ("DOORBUSTER__GATE__BATCH", "7\r\n"),
        ("DOORBUSTER__HUB__STOCK_TICK", " 7ms "),
        ("DOORBUSTER__LOG__FORMAT", "json\r"),
    ]);
    sources.flags = vec![flag("payments.public_url= https://shop.example ")];
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.store.url.expose(), "sqlite://shop.db");
    assert_eq!((config.server.listen.port(), config.server.graphiql, config.gate.batch), (80, false, 7));
    assert_eq!((config.hub.stock_tick.as_millis(), config.log.format), (7, LogFormat::Json));
    assert_eq!(config.payments.public_url, "https://shop.example");
}

#[test]
fn a_list_is_written_with_commas_or_as_in_toml() {
    for text in ["https://a.example,https://b.example", " https://a.example , https://b.example,\n"] {
        assert_eq!(origins(text), Ok(vec!["https://a.example".to_owned(), "https://b.example".to_owned()]), "{text}");
    }
    for text in ["[\"https://a.example\",\"https://b.example\"]", "['https://a.example', \" https://b.example \",]\r"] {
        assert_eq!(origins(text), Ok(vec!["https://a.example".to_owned(), "https://b.example".to_owned()]), "{text}");
    }
    assert_eq!((origins("[]"), origins("")), (Ok(Vec::new()), Ok(Vec::new())));
    for text in ["[\"https://a.example\"", "[https://a.example]", "[\"a\"] # = 1\nb = [1]", "[1]"] {
        let problem = origins(text).unwrap_err();
        assert!(problem.starts_with("DOORBUSTER__ACCESS__ORIGINS: access.origins: "), "{text}: {problem}");
    }
}

/// The origins that a variable means, or what is wrong with it.
fn origins(text: &str) -> Result<Vec<String>, String> {
    match Config::load(&environment(&[("DOORBUSTER__ACCESS__ORIGINS", text)])) {
        Ok(config) => Ok(config.access.origins),
        Err(errors) => Err(errors.0[0].to_string()),
    }
}

#[test]
fn contradictions_are_refused() {
    let cases = [
        ("[graphql]\nsocket_write_timeout = \"11s\"", "graphql.socket_write_timeout, server.write_timeout: "),
        ("[graphql]\npage_default = 50\npage_max = 20", "graphql.page_default, graphql.page_max: "),
        ("[accounts]\ntoken_lifetime = \"1h\"", "accounts.token_renew_after, accounts.token_lifetime: "),
        ("[server]\nbody_max = \"16KiB\"", "graphql.document_max, server.body_max: "),
        ("[server]\nconnections_max = 100", "graphql.sockets_max, server.connections_max: "),
        ("[broker]\npublish_timeout = \"7s\"", "orders.pending_after, broker.publish_timeout: "),
        ("[graphql]\nexecution_timeout = \"3s\"", "graphql.execution_timeout, broker.publish_timeout: "),
        ("[sales]\ntime_zone = \"Asia/Peking\"", "sales.time_zone: must be an IANA time zone"),
        ("[log]\nfilter = \"inof\"", "log.filter: `inof` is not a level"),
        ("[log]\nfilter = \"doorbuster=loud\"", "log.filter: is not a valid filter: "),
        ("[store]\nurl = \"sqlite://:memory:\"", "store.url: must name a file"),
        ("[store]\nurl = \"sqlite://\"", "store.url: must name a file"),
        ("[store]\nurl = \"mysql://db\"", "store.url: must be "),
        ("[gate]\nurl = \"memory\"", "gate.url: must be "),
        ("[gate]\ntls_roots = \"ca.pem\"", "gate.tls_roots, gate.url: needs gate.url "),
        (
            "[store]\nurl = \"postgres://db/shop\"\n[gate]\nurl = \"rediss://c\"\ntls_key = \"k.pem\"\n[broker]\nurl = \"pulsar://p\"",
            "gate.tls_certificate, gate.tls_key: must be set together",
        ),
        ("[broker]\nurl = \"kafka://k\"", "broker.url: must be "),
        ("[broker]\ntls_roots = \"ca.pem\"", "broker.tls_roots, broker.url: needs broker.url "),
        (
            "[store]\nurl = \"postgres://db/shop\"",
            "store.url, gate.url, broker.url: several nodes could share the database",
        ),
        ("[gate]\nurl = \"redis://cache\"", "store.url, gate.url, broker.url: an SQLite file belongs to one process"),
        ("[broker]\nurl = \"pulsar://b\"", "store.url, gate.url, broker.url: an SQLite file belongs to one process"),
        (
            "[store]\nurl = \"postgres://db/shop\"\n[gate]\nurl = \"redis://cache\"",
            "store.url, gate.url, broker.url: several nodes could share the database",
        ),
        ("[node]\nname = \"a b\"", "node.name: must be at most 60 characters of"),
        ("[node]\nroles = []", "node.roles: must contain at least one role"),
    ];
    for (text, expected) in cases {
        let problems = problems(text);
        let [problem] = problems.as_slice() else { panic!("{text}: {problems:?}") };
        let (place, rest) = problem.split_once(": ").unwrap();
        assert!(place.starts_with("config:") && rest.starts_with(expected), "{problem}");
    }
    let distributed =
        "[store]\nurl = \"postgres://db/shop\"\n[gate]\nurl = \"redis://c\"\n[broker]\nurl = \"pulsar://p\"";
    assert_eq!(Config::from_toml(distributed).map(|config| config.node.roles.len()), Ok(5));
}

#[test]
fn secrets_never_print() {
    let secret = "postgres://shop:hunter2@db/shop";
    let documents = [
        format!("[store]\nurl = \"{secret}\"\n"),
        format!("[store]\nurl = [\"{secret}\"]\n"),
        format!("[store]\nurl = \"{secret}\n"),
        format!("[store]\nurl = {secret}\n"),
        format!("[store]\nurl = \"{secret}\"\nurl = \"{secret}\"\n"),
        format!("[gate]\nurl = \"{secret}\"\n"),
        "[store]\nurl = { hunter2 = 1 }\n".to_owned(),
    ];
    for text in documents {
        let error = Config::from_toml(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        let mut layers = Layers::read(&Sources::default());
        layers.apply_document("config", &text);
        assert!(!layers.render().contains("hunter2"), "{}", layers.render());
    }
    assert_eq!(problems("[gate]\nurl = 20061231\n"), ["config:2:1: gate.url: expected a string"]);
    let mut config = Config::default_embedded();
    config.store.url = Secret::new(secret);
    assert!(format!("{config:?}").contains("postgres://shop:***@db/shop"));
}

#[test]
fn every_syntax_error_has_its_place() {
    assert_eq!(problems("[store]\nreaders = \n[gate\nbatch = 1\n").len(), 2);
    assert!(problems("[store]\nreaders = 99999999999999999999\n")[0].starts_with("config:2:11: "));
}

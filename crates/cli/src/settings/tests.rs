use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

struct Written {
    _folder: tempfile::TempDir,
    sources: Sources,
}

/// Sources with a file of this text.
fn written(text: &str) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    std::fs::write(&file, text).unwrap();
    Written { _folder: folder, sources: Sources { file: Some(file), ..Sources::default() } }
}

/// Problems without the folder of the file.
fn problems(sources: &Sources) -> Vec<String> {
    let Refused(problems) = load(sources).unwrap_err();
    let place = |place: &str| place.rsplit('/').next().unwrap_or(place).to_owned();
    problems.iter().map(|problem| format!("{}: {}", place(&problem.place), problem.text)).collect()
}

#[test]
fn the_defaults_are_enough_to_start() {
    let Loaded { settings, entries } = load(&Sources::default()).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.environments.production, None);
    assert_eq!(settings.environments.sandbox.unwrap().as_str(), "http://localhost:8080");
    assert_eq!(settings.database.url.reveal(), "sqlite:vestibule.db");
    assert_eq!(settings.database.synchronous, Synchronous::Full);
    // The rule, the service and the settings know one number each.
    let limits = (settings.limits.token_get_bytes, settings.limits.token_post_bytes);
    assert_eq!(limits, (connect::token::GET_BYTES, connect::token::POST_BYTES));
    let service = service::Limits::default();
    assert_eq!((service.token_get, service.token_post), limits);
    assert_eq!(
        (service.webhook_body, service.body),
        (settings.limits.webhook_body_bytes, settings.limits.body_bytes)
    );
    assert_eq!((settings.limits.connections, settings.metrics.listen), (4096, None));
    assert_eq!(settings.outbound.allow, Allow::nothing());
    assert_eq!(settings.outbound.call_limits().timeout, Duration::from_secs(10));
    assert_eq!(settings.limits.token_get_bytes, 8192);
    assert!(settings.tls.is_none() && settings.keys.master_key.is_none());
    assert!(settings.keys.master_key_command.is_empty());
    // A run has ten minutes, whoever starts it.
    let run_time = Duration::from_secs(600);
    let of_service = service::work::Options::default().run_time;
    assert_eq!((settings.work.options.run_time, of_service), (run_time, run_time));
    assert!(entries.iter().all(|entry| entry.source == "default"));
}

#[test]
fn every_key_of_the_default_file_is_read() {
    let known = Known::embedded().unwrap();
    let mut reader = Reader::new(Layers::defaults(&known));
    settings(&mut reader).unwrap();
    let paths = known.keys.iter().map(|key| key.path.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(reader.read, paths);
}

#[test]
fn later_sources_cover_earlier_ones() {
    let mut written =
        written("listen = \"127.0.0.1:1\"\n[database]\nmax_connections = 2\nurl = \"sqlite:file.db\"\n");
    written.sources.variables = variables(&[
        ("VESTIBULE_DATABASE__MAX_CONNECTIONS", "3"),
        ("VESTIBULE_DATABASE__URL", "sqlite:variable.db"),
        ("VESTIBULE_OUTBOUND__ALLOW", "10.1.0.0/16, 127.0.0.1:9000"),
        ("HOME", "/root"),
    ]);
    written.sources.flags = vec!["database.url=sqlite:flag=1.db".to_owned()];
    let Loaded { settings, entries } = load(&written.sources).unwrap();
    assert_eq!(settings.listen.port(), 1);
    assert_eq!(settings.database.max_connections, 3);
    assert_eq!(settings.database.url.reveal(), "sqlite:flag=1.db");
    assert_eq!(settings.outbound.allow, Allow::parse(&["10.1.0.0/16", "127.0.0.1:9000"]).unwrap());
    let source = |key: &str| entries.iter().find(|entry| entry.key == key).unwrap().source.clone();
    assert!(source("listen").ends_with("vestibule.toml:1"));
    assert_eq!(source("database.max_connections"), "VESTIBULE_DATABASE__MAX_CONNECTIONS");
    assert_eq!(source("database.url"), "--set database.url");
    assert_eq!(source("log.filter"), "default");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let mut written =
        written("lisen = \"x\"\n\n[databse]\nurl = \"sqlite:x\"\n[log]\nformt = \"json\"\n[nowhere]\n");
    written.sources.variables = variables(&[
        ("VESTIBULE_DATABASE_URL", "postgres://u:hunter2@h/d"),
        ("VESTIBULE_LOG__FROMAT", "json"),
        ("VESTIBULE_listen", "127.0.0.1:1"),
    ]);
    written.sources.flags = vec!["log.filtr=debug".to_owned(), "nonsense".to_owned()];
    assert_eq!(
        problems(&written.sources),
        [
            "vestibule.toml:1: `lisen` is not a setting; did you mean `listen`?",
            "vestibule.toml:4: `databse.url` is not a setting; did you mean `database.url`?",
            "vestibule.toml:6: `log.formt` is not a setting; did you mean `log.format`?",
            "vestibule.toml:7: `nowhere` is not a setting",
            "VESTIBULE_DATABASE_URL: this variable names no setting; did you mean VESTIBULE_DATABASE__URL?",
            "VESTIBULE_LOG__FROMAT: this variable names no setting; did you mean VESTIBULE_LOG__FORMAT?",
            "VESTIBULE_listen: this variable names no setting; did you mean VESTIBULE_LISTEN?",
            "--set log.filtr: this is not a setting; did you mean `log.filter`?",
            "--set: write it as section.key=value",
        ]
    );
}

#[test]
fn wrong_types_say_what_was_expected() {
    let mut written = written(
        "listen = 8080\ndatabase = \"sqlite:x\"\n[limits]\nbody_bytes = \"1 MiB\"\n[outbound]\nallow = \"10.0.0.0/8\"\n\
         timeout_seconds = 1.5\n[proxies]\ntrusted = [1]\n[log]\nformat = {}\n",
    );
    written.sources.variables = variables(&[("VESTIBULE_OUTBOUND__TIMEOUT_SECONDS", "ten")]);
    assert_eq!(
        problems(&written.sources),
        [
            "vestibule.toml:1: `listen` must be a text in quotes, not a whole number",
            "vestibule.toml:2: `database` is a section; write [database]",
            "vestibule.toml:4: `limits.body_bytes` must be a whole number, not a text in quotes",
            "vestibule.toml:6: `outbound.allow` must be a list of texts, not a text in quotes",
            "vestibule.toml:7: `outbound.timeout_seconds` must be a whole number, not a number with a fraction",
            "vestibule.toml:9: `proxies.trusted` must be a list of texts, not a list of other things",
            "vestibule.toml:11: `log.format` must be a text in quotes, not a section",
            "VESTIBULE_OUTBOUND__TIMEOUT_SECONDS: `outbound.timeout_seconds` must be a whole number",
        ]
    );
}

#[test]
fn wrong_values_are_all_told_at_once() {
    let written = written(
        "listen = \"8080\"\n[environments.production]\npublic_url = \"https://connect.example.com/path\"\n[database]\n\
         url = \"mysql://u:hunter2@h\"\nsynchronous = \"off\"\nmax_connections = 0\n[outbound]\nallow = [\"10.0.0.1\"]\n\
         [log]\nformat = \"xml\"\nfilter = \"info,=x=y\"\n[proxies]\ntrusted = [\"10.0.0.1/8\"]\n[tls]\ncertificate = \"c.pem\"\n",
    );
    let problems = problems(&written.sources);
    let starts = problems.iter().map(|line| line.split("`: ").next().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(
        starts,
        [
            "vestibule.toml:1: `listen",
            "vestibule.toml:3: `environments.production.public_url",
            "vestibule.toml:5: `database.url",
            "vestibule.toml:6: `database.synchronous",
            "vestibule.toml:7: `database.max_connections",
            "vestibule.toml:9: `outbound.allow",
            "vestibule.toml:11: `log.format",
            "vestibule.toml:12: `log.filter",
            "vestibule.toml:14: `proxies.trusted",
            "default: `tls.private_key",
        ]
    );
    assert!(!problems.concat().contains("hunter2"));
}

#[test]
fn a_broken_file_is_refused_by_line_without_its_text() {
    let written = written("listen = \"127.0.0.1:1\"\n[keys]\nmaster_key = hunter2\n");
    let problems = problems(&written.sources).concat();
    assert!(problems.starts_with("vestibule.toml:3: this is not TOML"), "{problems}");
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let missing = Sources { file: Some("/nowhere/vestibule.toml".into()), ..Sources::default() };
    assert!(load(&missing).is_err());
    let named =
        Sources { variables: variables(&[(CONFIG_VARIABLE, "/nowhere/v.toml")]), ..Sources::default() };
    assert_eq!(load(&named).unwrap_err().0[0].place, "/nowhere/v.toml");
}

#[test]
fn production_drops_the_sandbox_that_nobody_asked_for() {
    let production = ("VESTIBULE_ENVIRONMENTS__PRODUCTION__PUBLIC_URL", "https://connect.example.com");
    let sandbox = |value| ("VESTIBULE_ENVIRONMENTS__SANDBOX__PUBLIC_URL", value);
    let environments = |pairs: &[(&str, &str)]| {
        let loaded = load(&Sources { variables: variables(pairs), ..Sources::default() });
        loaded.map(|loaded| loaded.settings.environments)
    };
    let alone = environments(&[production]).unwrap();
    assert_eq!(alone.origin(Environment::Production).unwrap().as_str(), "https://connect.example.com");
    assert_eq!(alone.origin(Environment::Sandbox), None);
    let both = environments(&[production, sandbox("https://sandbox.example.com")]).unwrap();
    assert_eq!(both.origin(Environment::Sandbox).unwrap().as_str(), "https://sandbox.example.com");
    assert!(environments(&[production, sandbox("https://CONNECT.example.com:443/")]).is_err());
    assert!(environments(&[sandbox("")]).is_err());
    let loaded = load(&Sources { variables: variables(&[production]), ..Sources::default() }).unwrap();
    let shown = loaded.entries.iter().find(|entry| entry.key == SANDBOX).unwrap();
    assert_eq!(shown.value, "\"\"");
    assert!(environments(&[sandbox("http://sandbox.example.com")]).is_err());
}

#[test]
fn secrets_are_not_shown() {
    let sources = Sources {
        variables: variables(&[
            ("VESTIBULE_KEYS__MASTER_KEY", "hunter2"),
            ("VESTIBULE_KEYS__OLDER_MASTER_KEYS", "hunter2, hunter2"),
            ("VESTIBULE_DATABASE__URL", "postgres://u:hunter2@h/d"),
        ]),
        ..Sources::default()
    };
    let loaded = load(&sources).unwrap();
    let shown = format!("{loaded:?} {sources:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let value = |key: &str| loaded.entries.iter().find(|entry| entry.key == key).unwrap().value.clone();
    assert_eq!(value("keys.master_key"), "\"********\"");
    assert_eq!(value("keys.older_master_keys"), "[\"********\", \"********\"]");
    assert_eq!(value("database.url"), "\"postgres://u:********@h/d\"");
}

#[test]
fn variables_of_others_are_passed_by() {
    let foreign = variables(&[
        ("VESTIBULE_SERVICE_HOST", "10.0.0.1"),
        ("VESTIBULE_SERVICE_PORT_HTTP", "80"),
        ("VESTIBULE_PORT", "tcp://10.0.0.1:80"),
        ("VESTIBULE_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("VESTIBULE_TEST_POSTGRES_URL", "postgres://"),
    ]);
    assert!(load(&Sources { variables: foreign, ..Sources::default() }).is_ok());
    let port = variables(&[("VESTIBULE_PORT", "8080")]);
    assert!(load(&Sources { variables: port, ..Sources::default() }).is_err());
}

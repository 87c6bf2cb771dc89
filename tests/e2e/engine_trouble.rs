//! Engines that are not there, are too old, or lose what they had.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::engine::Engine;
use crate::trial::{Trial, said, unique};

fn trial() -> Trial {
    let build = "[workspace]\n[image.app]\n";
    Trial::of(&Engine::classic(), &[("BUILD.toml", build), ("Dockerfile", "FROM busybox:1.36\nRUN true\n")])
}

#[test]
fn an_engine_that_is_not_there_is_told_with_help() {
    let trial = trial().with("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let outcome = trial.run("build :app").exits(3).says(&["/nowhere/docker.sock", "help"]);
    assert_eq!(outcome.stdout, "");
    trial.run("build :app --docker-host tcp://127.0.0.1:1").exits(3).says(&["127.0.0.1:1"]);
    trial.run("build :app --docker-host carrier-pigeon://x").exits(2).says(&["carrier-pigeon"]);
}

#[test]
fn what_needs_no_engine_asks_none() {
    let trial = trial().with("DOCKER_HOST", "unix:///nowhere/docker.sock");
    for command in ["inputs :app", "graph :app", "cache stats", "completions bash"] {
        trial.run(command).succeeded();
    }
}

/// Answers as an engine of the version would, to any number of requests.
fn engine_of(version: &'static str, api: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, version, api));
        }
    });
    host
}

fn answer(mut stream: TcpStream, version: &str, api: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let body = if request.contains("/version") {
            let platform = r#""Os":"linux","Arch":"amd64""#;
            format!(r#"{{"Version":"{version}","ApiVersion":"{api}","MinAPIVersion":"1.12",{platform}}}"#)
        } else {
            "OK".to_owned()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nApi-Version: {api}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn an_engine_that_is_too_old_is_refused_by_name_and_version() {
    let trial = trial().with("DOCKER_HOST", engine_of("20.10.24", "1.41"));
    let outcome = trial.run("build :app").exits(3);
    outcome.says(&["Docker Engine 20.10.24", "23.0"]);
}

#[test]
fn an_image_that_the_engine_lost_is_built_again() {
    let image = format!("e2e.test/{}:1", unique("lost"));
    let build = format!("[workspace]\n[image.app]\ntags = [\"{image}\"]\n");
    let dockerfile = format!("FROM busybox:1.36\nRUN echo {image} >/name\n");
    let trial = Trial::of(&Engine::classic(), &[("BUILD.toml", &build), ("Dockerfile", &dockerfile)]);
    trial.build(":app");
    let identity = trial.engine.run(["image", "inspect", "--format", "{{.Id}}", &image]);
    let identity = String::from_utf8(identity.stdout).unwrap();
    assert!(trial.engine.run(["image", "rm", "--force", identity.trim()]).status.success());
    assert_eq!(said(&trial.plan(":app")), "//:app dirty");
    assert_eq!(said(&trial.build(":app")), "//:app built");
    assert_eq!(trial.inside(&image, &["cat", "/name"]), format!("{image}\n"));
}

#[test]
fn a_name_that_the_image_lost_is_given_again() {
    let image = format!("e2e.test/{}:1", unique("untagged"));
    let build = format!("[workspace]\n[image.app]\ntags = [\"{image}\"]\n");
    let dockerfile = format!("FROM busybox:1.36\nRUN echo {image} >/name\n");
    let trial = Trial::of(&Engine::classic(), &[("BUILD.toml", &build), ("Dockerfile", &dockerfile)]);
    trial.build(":app");
    assert!(trial.engine.run(["image", "rm", &image]).status.success());
    assert_eq!(said(&trial.build(":app")), "//:app cached");
    assert_eq!(trial.inside(&image, &["cat", "/name"]), format!("{image}\n"));
}

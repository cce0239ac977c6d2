//! Answers that are none, and servers that are not there.

use super::*;

/// A server that writes fixed bytes at the first request and closes.
async fn raw(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = [0; 1024];
        assert!(socket.read(&mut seen).await.unwrap() > 0);
        socket.write_all(&answer).await.unwrap();
        socket.shutdown().await.unwrap();
    });
    address
}

#[tokio::test]
async fn broken_answers_have_names() {
    let many = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let table = [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), "call_bad_answer", false),
        (
            format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n").into_bytes(),
            "call_bad_answer",
            false,
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec(), "call_unreachable", true),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc".to_vec(),
            "call_bad_answer",
            false,
        ),
        (Vec::new(), "call_unreachable", true),
    ];
    for (answer, code, weather) in table {
        let shown = String::from_utf8_lossy(&answer).chars().take(60).collect::<String>();
        let address = raw(answer).await;
        let url = Url::parse(&format!("http://{address}/")).unwrap();
        let error = client(&[address.to_string()]).send(Request::get(url)).await.unwrap_err();
        assert_eq!((error.code(), error.is_weather()), (code, weather), "{shown}");
    }
}

#[tokio::test]
async fn nobody_there_is_weather() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(&[address.to_string()])
        .send(Request::get(Url::parse(&format!("http://{address}/")).unwrap()))
        .await
        .unwrap_err();
    assert_eq!(error, CallError::Unreachable { host: address.to_string(), why: Unreached::Connection });
    let error = scripted(&[], &[&[]]).send(Request::get(Url::parse("https://gone.example/").unwrap())).await;
    let gone = CallError::Unreachable { host: "gone.example".into(), why: Unreached::Name };
    assert_eq!(error.unwrap_err(), gone);
}

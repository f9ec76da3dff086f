//! The listener on one port.
use std::io;
use std::net::TcpListener;

/// The port of a store that is not configured.
pub const DEFAULT_PORT: u16 = 47017;

/// Binds the port on loopback.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::thread;
    use std::time::Duration;

    /// Tests that use the default port take turns.
    static PORT: Mutex<()> = Mutex::new(());

    #[test]
    fn the_default_port_can_be_bound() {
        let _turn = PORT.lock();
        let listener = listen(DEFAULT_PORT).expect("bind the default port");
        thread::sleep(Duration::from_millis(3));
        assert_eq!(listener.local_addr().expect("address").port(), DEFAULT_PORT);
    }

    #[test]
    fn the_port_is_free_again_after_drop() {
        let _turn = PORT.lock();
        drop(listen(DEFAULT_PORT).expect("bind the default port"));
        thread::sleep(Duration::from_millis(1));
        listen(DEFAULT_PORT).expect("bind the default port again");
    }

    #[test]
    fn port_zero_takes_any_port() {
        assert_ne!(
            listen(0)
                .expect("bind")
                .local_addr()
                .expect("address")
                .port(),
            0
        );
    }
}

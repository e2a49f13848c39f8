package transport

import (
	"net"
	"strconv"
	"testing"
)

// hasIPv6 reports whether this machine has the IPv6 loopback address.
func hasIPv6(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func TestLocalhostIsBothFamiliesOnOnePort(t *testing.T) {
	if !hasIPv6(t) {
		t.Skip("no IPv6 here")
	}
	for range 50 { // the system picks a port each time
		l, err := Listen(t.Context(), "localhost", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.All) != 2 || l.Port == 0 {
			t.Fatalf("%d listeners on port %d", len(l.All), l.Port)
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			c, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(l.Port)))
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Listen(t.Context(), "LOCALHOST", l.Port)
		if err != nil {
			t.Fatalf("the port is not free at once: %v", err)
		}
		_ = again.Close()
	}
}

func TestAPortInUseByEitherFamilyIsRefusedWhole(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		if host == "::1" && !hasIPv6(t) {
			continue
		}
		taken, err := Listen(t.Context(), host, 0)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := Listen(t.Context(), "localhost", taken.Port); err == nil {
			_ = l.Close()
			t.Errorf("listens on port %d, which is taken on %s", taken.Port, host)
		}
		_ = taken.Close()
		l, err := Listen(t.Context(), "localhost", taken.Port)
		if err != nil {
			t.Errorf("something of the failed attempt is still open: %v", err)
		}
		_ = l.Close()
	}
}

func TestOneAddressIsOpenedAsGiven(t *testing.T) {
	for host, ip := range map[string]string{"127.0.0.1": "127.0.0.1", "127.0.0.2": "127.0.0.2", "0.0.0.0": "0.0.0.0", "": "::"} {
		l, err := Listen(t.Context(), host, 0)
		if err != nil {
			t.Errorf("%q: %v", host, err)
			continue
		}
		a, _ := l.All[0].Addr().(*net.TCPAddr)
		if len(l.All) != 1 || a.Port != l.Port || a.IP.String() != ip {
			t.Errorf("%q listens on %v, port %d", host, a, l.Port)
		}
		_ = l.Close()
	}
}

func TestListenSaysWhatItCouldNotOpen(t *testing.T) {
	if l, err := Listen(t.Context(), "192.0.2.1", 0); err == nil { // an address of nobody
		_ = l.Close()
		t.Error("listens on an address that this machine does not have")
	}
}

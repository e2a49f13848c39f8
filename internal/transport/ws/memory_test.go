package ws

import (
	"net"
	"runtime"
	"testing"
)

// perIdle bounds what a connection costs that says nothing: heap and stacks,
// for both ends of the socket, since the clients live in the same process.
const perIdle = 12 << 10

func TestIdleConnectionIsSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory is not ours")
	}
	const count = 1000
	n := start(t, &sessions{handle: echo}, Options{})
	clients := make([]net.Conn, 0, count)
	defer func() {
		for _, c := range clients {
			_ = c.Close()
		}
	}()
	open := func(k int) {
		for range k {
			r := n.raw()
			r.write(clientFrame(true, opBinary, "hello"))
			r.expect(opBinary, "hello")
			clients = append(clients, r.net)
		}
	}
	open(50) // what is there once
	before := inUse()
	open(count)
	each := (inUse() - before) / count
	t.Logf("%d bytes for each idle connection", each)
	if each > perIdle {
		t.Errorf("an idle connection takes %d bytes, want at most %d", each, perIdle)
	}
}

// inUse is the memory in use after what is not has been given back.
func inUse() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

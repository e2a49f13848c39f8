package bench

import (
	"context"
	"errors"

	"github.com/topgunbuild/topgun-go/internal/bench/child"
	"github.com/topgunbuild/topgun-go/internal/bench/socket"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// idle measures the memory of connections that have said hello and are silent:
// heap in use and stacks after a collection, with and without them.
func idle(ctx context.Context, o Options) (res *Result, err error) {
	if o.URL != "" {
		return nil, errors.New("idle looks into the server's memory, so it starts one itself; leave out url")
	}
	server, err := startTarget(ctx, o, childServer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	// Some connections first, so that what is made once is there before.
	if err := greetAndClose(ctx, server.url, 10); err != nil {
		return nil, err
	}
	before, err := server.process.Collect()
	if err != nil {
		return nil, err
	}
	conns, err := greet(ctx, server.url, o.Connections)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	after, err := server.process.Collect()
	if err != nil {
		return nil, err
	}
	n := float64(o.Connections)
	used := func(f child.Figures) float64 { return float64(f.HeapInUse + f.Stacks) }
	return &Result{
		Scenario: o.Scenario, Connections: o.Connections,
		HeapBytesPerConn: (used(after) - used(before)) / n,
		RSSBytesPerConn:  (float64(after.RSS) - float64(before.RSS)) / n,
		ServerRSSBytes:   after.RSS,
	}, nil
}

func greetAndClose(ctx context.Context, url string, n int) error {
	conns, err := greet(ctx, url, n)
	for _, c := range conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

// greet opens connections and waits until each has been given its device.
func greet(ctx context.Context, url string, n int) ([]*socket.Conn, error) {
	hello, _ := socket.Frame(wire.Append(nil, &wire.DeviceHello{}))
	var conns []*socket.Conn
	for range n {
		c, err := socket.Dial(ctx, url)
		if err != nil {
			return conns, err
		}
		conns = append(conns, c)
		if err := c.Write(hello); err != nil {
			return conns, err
		}
		if _, err := c.Next(ctx); err != nil {
			return conns, err
		}
	}
	return conns, nil
}

package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// TopicSub subscribes to a topic. There is no reply.
//
//wire:message TOPIC_SUB payload c2s
type TopicSub struct {
	Topic string `wire:"topic"`
}

// TopicUnsub ends a subscription. There is no reply.
//
//wire:message TOPIC_UNSUB payload c2s
type TopicUnsub struct {
	Topic string `wire:"topic"`
}

// TopicPub publishes to all other subscribers of a topic. There is no reply.
//
//wire:message TOPIC_PUB payload c2s
type TopicPub struct {
	Topic string    `wire:"topic"`
	Data  value.Raw `wire:"data"`
}

// TopicMessage delivers what another client published.
//
//wire:message TOPIC_MESSAGE payload s2c
type TopicMessage struct {
	Topic       string    `wire:"topic"`
	Data        value.Raw `wire:"data"`
	PublisherID string    `wire:"publisherId,omitempty"`
	Timestamp   int64     `wire:"timestamp"` // epoch ms
}

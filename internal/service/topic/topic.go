// Package topic delivers what one client publishes to all others that have
// subscribed: at most once, in the order of publishing, nothing stored.
package topic

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// SessionTopics is the most topics that one session may subscribe to.
const SessionTopics = 100

// Service holds the subscriptions.
type Service struct {
	clock     clock.Clock
	published prometheus.Counter
	delivered prometheus.Counter

	mu       sync.Mutex // held while a message is queued to all, so that everyone sees one order
	topics   map[string][]*service.Caller
	sessions map[uint64][]string
}

// New makes the service.
func New(clk clock.Clock, reg prometheus.Registerer) *Service {
	s := &Service{
		clock:  clk,
		topics: map[string][]*service.Caller{}, sessions: map[uint64][]string{},
		published: prometheus.NewCounter(prometheus.CounterOpts{Name: "topgun_topic_published_total", Help: "Messages published to topics."}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{Name: "topgun_topic_delivered_total", Help: "Messages queued to subscribers of topics."}),
	}
	reg.MustRegister(s.published, s.delivered)
	return s
}

// Handles implements service.Service.
func (s *Service) Handles() []wire.Type {
	return []wire.Type{wire.TypeTopicSub, wire.TypeTopicUnsub, wire.TypeTopicPub}
}

// Handle implements service.Service.
func (s *Service) Handle(c *service.Caller, m wire.Message, _ int) error {
	switch m := m.(type) {
	case *wire.TopicSub:
		return s.subscribe(c, m.Topic)
	case *wire.TopicUnsub:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.remove(c, m.Topic)
	case *wire.TopicPub:
		return s.publish(c, m)
	}
	return nil
}

func (s *Service) subscribe(c *service.Caller, topic string) error {
	if err := service.CheckName(wire.TypeTopicSub, topic); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.sessions[c.ID]
	if slices.Contains(mine, topic) {
		return nil
	}
	if len(mine) >= SessionTopics {
		return &service.Error{
			Code: wire.CodeForbidden, Type: wire.TypeTopicSub, Request: topic,
			Text: fmt.Sprintf("a session may subscribe to %d topics; unsubscribe from one", SessionTopics),
		}
	}
	topic = strings.Clone(topic)
	s.sessions[c.ID] = append(mine, topic)
	s.topics[topic] = append(s.topics[topic], c)
	return nil
}

// remove ends a subscription. s.mu is held.
func (s *Service) remove(c *service.Caller, topic string) {
	list := slices.DeleteFunc(s.topics[topic], func(o *service.Caller) bool { return o.ID == c.ID })
	if len(list) == 0 {
		delete(s.topics, topic)
	} else {
		s.topics[topic] = list
	}
	mine := s.sessions[c.ID]
	if i := slices.Index(mine, topic); i >= 0 {
		s.sessions[c.ID] = slices.Delete(mine, i, i+1)
	}
	if len(s.sessions[c.ID]) == 0 {
		delete(s.sessions, c.ID)
	}
}

func (s *Service) publish(c *service.Caller, m *wire.TopicPub) error {
	if err := service.CheckName(wire.TypeTopicPub, m.Topic); err != nil {
		return err
	}
	s.published.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	var body []byte
	for _, to := range s.topics[m.Topic] {
		if to.ID == c.ID {
			continue
		}
		if body == nil {
			body = wire.Append(nil, &wire.TopicMessage{
				Topic: m.Topic, Data: m.Data, PublisherID: strconv.FormatUint(c.ID, 10),
				Timestamp: clock.Millis(s.clock.Now()),
			})
		}
		to.Out.Send(service.Frame{Body: body})
		s.delivered.Inc()
	}
	return nil
}

// Leave implements service.Service.
func (s *Service) Leave(c *service.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, topic := range slices.Clone(s.sessions[c.ID]) {
		s.remove(c, topic)
	}
}

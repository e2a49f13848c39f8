package config

// Memory says how much the server takes and what gives way.
type Memory struct {
	// Budget is the memory of the whole process, in bytes. 0: three quarters of
	// what the machine, or the container, has.
	Budget int64

	// Eviction says which records leave memory first.
	Eviction Eviction
}

// Eviction names a policy.
type Eviction string

// The policies.
const (
	// EvictLRU lets what was not used for longest go first.
	EvictLRU Eviction = "lru"
	// EvictLFU lets what is used least often go first.
	EvictLFU Eviction = "lfu"
	// EvictRandom makes no difference.
	EvictRandom Eviction = "random"
)

func defineMemory(m *Memory) []Option {
	return []Option{
		{
			Name: "memory-budget", Env: "TOPGUN_MEMORY_BUDGET", Group: groupMemory,
			Help:  "Memory of the whole server. Records that do not fit stay in the store and come back when they are used. Without it: three quarters of what the machine or its container has.",
			value: size[int64]{to: &m.Budget, min: 128 << 20, max: 16 << 40},
		},
		{
			Name: "eviction", Env: "TOPGUN_EVICTION", Group: groupMemory, Default: string(EvictLRU),
			Help: "Which records leave memory first: lru, those not used for longest; lfu, those used least often; random, any.",
			value: choice[Eviction]{to: &m.Eviction, words: []word[Eviction]{
				{string(EvictLRU), EvictLRU}, {string(EvictLFU), EvictLFU}, {string(EvictRandom), EvictRandom},
			}},
		},
	}
}

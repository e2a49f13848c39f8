// Package ordered keeps items in an order that the caller defines, with an
// aggregate over every subtree: what interval searches and extremes of changing
// sets are made of.
package ordered

// Tree is a balanced search tree (AVL). Finding, adding and removing take time
// in proportion to the logarithm of its size, whatever the history. It is not
// safe for concurrent use; concurrent reads are.
type Tree[T any] struct {
	// Compare orders items. Two items that it calls equal are one.
	Compare func(a, b *T) int

	// Pull, if set, brings what an item knows of its subtree up to date: left
	// and right are the items below it, nil for none. It is called bottom up.
	Pull func(item, left, right *T)

	root *node[T]
	size int
}

type node[T any] struct {
	item        T
	left, right *node[T]
	height      int8
}

// Len is the number of items.
func (t *Tree[T]) Len() int { return t.size }

// Put returns the item equal to v, adding v if there is none. The pointer stays
// valid until the item is removed; what Compare looks at must not change.
func (t *Tree[T]) Put(v T) *T {
	var at *T
	t.root, at = t.put(t.root, &v)
	return at
}

func (t *Tree[T]) put(n *node[T], v *T) (top *node[T], at *T) {
	if n == nil {
		n = &node[T]{item: *v, height: 1}
		t.size++
		t.pull(n)
		return n, &n.item
	}
	switch c := t.Compare(v, &n.item); {
	case c < 0:
		n.left, at = t.put(n.left, v)
	case c > 0:
		n.right, at = t.put(n.right, v)
	default:
		return n, &n.item
	}
	return t.balance(n), at
}

// Find returns the item equal to v, nil if there is none.
func (t *Tree[T]) Find(v *T) *T {
	for n := t.root; n != nil; {
		switch c := t.Compare(v, &n.item); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return &n.item
		}
	}
	return nil
}

// Remove removes the item equal to v, if there is one.
func (t *Tree[T]) Remove(v *T) { t.root = t.remove(t.root, v) }

func (t *Tree[T]) remove(n *node[T], v *T) *node[T] {
	if n == nil {
		return nil
	}
	switch c := t.Compare(v, &n.item); {
	case c < 0:
		n.left = t.remove(n.left, v)
	case c > 0:
		n.right = t.remove(n.right, v)
	default:
		t.size--
		if n.left == nil {
			return n.right
		}
		if n.right == nil {
			return n.left
		}
		// Nodes move, not items: pointers to items stay valid.
		rest, least := t.cutLeast(n.right)
		least.left, least.right = n.left, rest
		n = least
	}
	return t.balance(n)
}

func (t *Tree[T]) cutLeast(n *node[T]) (rest, least *node[T]) {
	if n.left == nil {
		return n.right, n
	}
	n.left, least = t.cutLeast(n.left)
	return t.balance(n), least
}

// Min returns the first item, nil if there is none.
func (t *Tree[T]) Min() *T {
	n := t.root
	if n == nil {
		return nil
	}
	for n.left != nil {
		n = n.left
	}
	return &n.item
}

// Max returns the last item, nil if there is none.
func (t *Tree[T]) Max() *T {
	n := t.root
	if n == nil {
		return nil
	}
	for n.right != nil {
		n = n.right
	}
	return &n.item
}

// Visit calls at for items in order until it returns false. It leaves out every
// subtree for whose top enter returns false.
func (t *Tree[T]) Visit(enter, at func(item *T) bool) { visit(t.root, enter, at) }

func visit[T any](n *node[T], enter, at func(item *T) bool) bool {
	if n == nil || !enter(&n.item) {
		return true
	}
	return visit(n.left, enter, at) && at(&n.item) && visit(n.right, enter, at)
}

func height[T any](n *node[T]) int8 {
	if n == nil {
		return 0
	}
	return n.height
}

func (t *Tree[T]) pull(n *node[T]) {
	n.height = 1 + max(height(n.left), height(n.right))
	if t.Pull == nil {
		return
	}
	var left, right *T
	if n.left != nil {
		left = &n.left.item
	}
	if n.right != nil {
		right = &n.right.item
	}
	t.Pull(&n.item, left, right)
}

// balance restores the balance of n, whose subtrees are balanced and differ by
// two in height at most, and returns the top.
func (t *Tree[T]) balance(n *node[T]) *node[T] {
	switch d := height(n.left) - height(n.right); {
	case d > 1:
		if height(n.left.left) < height(n.left.right) {
			n.left = t.rotateLeft(n.left)
		}
		return t.rotateRight(n)
	case d < -1:
		if height(n.right.right) < height(n.right.left) {
			n.right = t.rotateRight(n.right)
		}
		return t.rotateLeft(n)
	}
	t.pull(n)
	return n
}

func (t *Tree[T]) rotateLeft(n *node[T]) *node[T] {
	top := n.right
	n.right, top.left = top.left, n
	t.pull(n)
	t.pull(top)
	return top
}

func (t *Tree[T]) rotateRight(n *node[T]) *node[T] {
	top := n.left
	n.left, top.right = top.right, n
	t.pull(n)
	t.pull(top)
	return top
}

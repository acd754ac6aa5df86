package main

import (
	"time"

	"github.com/streamroom/streamroom/shared/push"
)

// posting is what shared/push does for an invocation: rounds of one post for
// each worker, of those first that were never tried, then of those that were
// refused, each when it is due.
type posting struct {
	run      *run
	sleep    func(time.Duration) // of the invocation
	parts    []*part
	fresh    []int  // posts of each part that were never tried
	left     int    // of all of those
	repeated []bool // parts that were told before
	again    []try
}

// A try is one attempt of posts to members of a part. Those that are refused
// together come again together.
type try struct {
	part, attempt, posts int
	due                  time.Duration
}

// post posts to all members of the parts who are online.
func (i *invocation) post(parts []*part) {
	p := posting{run: i.run, sleep: i.sleep, parts: parts, fresh: make([]int, len(parts)), repeated: make([]bool, len(parts))}
	for n, part := range parts {
		p.fresh[n] = i.run.online(part.members)
		p.left += p.fresh[n]
		p.repeated[n], part.told = part.told, true
	}
	tries := make([]try, 0, push.Workers)
	for i.run.now < i.deadline {
		tries = p.take(tries[:0])
		switch {
		case len(tries) > 0:
			p.try(tries)
		case len(p.again) > 0:
			i.sleep(min(p.again[0].due, i.deadline) - i.run.now)
		default:
			return
		}
	}
	for _, t := range p.again {
		p.giveUp(t.part, t.posts)
	}
	for n, left := range p.fresh {
		p.giveUp(n, left)
	}
}

// take picks a post for each worker.
func (p *posting) take(tries []try) []try {
	idle := push.Workers
	for n := range p.fresh {
		if posts := min(p.fresh[n], idle); posts > 0 {
			tries = append(tries, try{part: n, attempt: 1, posts: posts})
			p.fresh[n] -= posts
			p.left -= posts
			idle -= posts
		}
	}
	for idle > 0 && len(p.again) > 0 && p.again[0].due <= p.run.now {
		t := p.again[0]
		t.posts = min(t.posts, idle)
		tries = append(tries, t)
		idle -= t.posts
		if p.again[0].posts -= t.posts; p.again[0].posts == 0 {
			p.again = p.again[1:]
		}
	}
	return tries
}

// try makes a round of posts. It takes as long as a worker does on average, the
// last one as long as the slowest, and any at least as long as its CPU.
func (p *posting) try(tries []try) {
	posts := 0
	for _, t := range tries {
		posts += t.posts
	}
	granted := p.run.posts.take(p.run.now, posts)
	refused := posts - granted
	p.run.Posts += granted
	p.run.Refused += refused

	sum := time.Duration(refused) * p.run.Post.median
	slowest := time.Duration(0)
	chance := p.run.rng.IntN(len(tries)) // decides who is refused
	for n := range tries {
		t := tries[(n+chance)%len(tries)]
		no := min(refused, t.posts)
		refused -= no
		for range t.posts - no {
			took := min(p.run.draw(p.run.Post), push.PostTimeout)
			p.deliver(t.part, p.run.now+took)
			sum += took
			slowest = max(slowest, took)
		}
		if no > 0 {
			p.refuse(t, no)
		}
	}
	work := cpu(time.Duration(posts) * cpuPerPost)
	if p.left+len(p.again) == 0 {
		p.sleep(max(slowest, work))
	} else {
		p.sleep(max(sum/time.Duration(posts)+work/push.Workers, work))
	}
}

// refuse is the quota's answer to posts.
func (p *posting) refuse(t try, posts int) {
	if t.attempt == p.run.Attempts {
		p.giveUp(t.part, posts)
		return
	}
	backoff := push.FirstBackoff << min(t.attempt-1, p.run.Doublings)
	due := p.run.now + p.run.Post.median + backoff/2 + p.run.upTo(backoff/2)
	p.again = append(p.again, try{t.part, t.attempt + 1, posts, due})
}

func (p *posting) deliver(part int, at time.Duration) {
	if p.repeated[part] {
		p.run.Repeated++
		return
	}
	p.run.arrive(at, p.parts[part].sent)
}

func (p *posting) giveUp(part, posts int) {
	if !p.repeated[part] {
		p.run.Undelivered += posts * len(p.parts[part].sent)
	}
}

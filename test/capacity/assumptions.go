package main

import (
	"math"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/topology"
)

// A latency is lognormal: half of the requests take up to median, and one of a
// hundred takes longer than p99.
type latency struct {
	median, p99 time.Duration
	sigma       float64 // of its logarithm
}

// z99 is the standard normal distribution's 99th percentile.
const z99 = 2.3263

func lognormal(median, p99 time.Duration) latency {
	return latency{median, p99, math.Log(float64(p99)/float64(median)) / z99}
}

// at is the latency of a request that is z standard deviations slower than the
// median one.
func (l latency) at(z float64) time.Duration {
	return time.Duration(float64(l.median) * math.Exp(l.sigma*z))
}

func (l latency) mean() time.Duration { return l.at(l.sigma / 2) }

// Assumptions: we found no published figures.
var (
	// postLatency is that of a post to @connections, from within the region.
	postLatency = lognormal(10*time.Millisecond, 60*time.Millisecond)

	// readLatency is that of a GetItem, a BatchGetItem of 100 small items and a
	// Query of a small page; a large page takes perMegabyte more. "Single-digit
	// millisecond" is what the service promises (Elhemali et al., Amazon
	// DynamoDB, USENIX ATC 2022); the tail is assumed.
	readLatency = lognormal(5*time.Millisecond, 25*time.Millisecond)
	perMegabyte = 20 * time.Millisecond

	// writeLatency is that of a BatchWriteItem of 25 items.
	writeLatency = lognormal(8*time.Millisecond, 40*time.Millisecond)
)

// From a write to its record in a function, through a mapping without window:
// published are 118, 213, 341 and 552 ms for the 10th, 50th, 90th and 99th
// percentile (bitesizedserverless.com, "Serverless Messaging: Latency Compared",
// eu-west-1, 2022). A poll every 250 ms, the time until a record can be read,
// and that of an invocation are fitted to them; a test holds them together.
var (
	pollInterval  = 250 * time.Millisecond
	streamAtLeast = 45 * time.Millisecond
	streamLatency = lognormal(25*time.Millisecond, 320*time.Millisecond) // on top of it
	invokeLatency = 15 * time.Millisecond
)

// What our own functions cost, measured by benchmarks of package functions on
// one core of an x86 server, and how much of a core a function has.
const (
	cpuPerPost   = 40 * time.Microsecond // BenchmarkDelivery, without table
	cpuPerMember = 8 * time.Microsecond  // BenchmarkReadRoom, presence-item: a member and their presence
	cpuPerBound  = 4 * time.Microsecond  // a member's key, to cut a room: assumed to be half of it

	memoryOfOneCore = 1769.0 // MB, from Lambda's guide
)

// What the table holds, and how it is read.
const (
	memberBytes    = 125 // as operate/cost has them: 31 units for a thousand in the index
	onlineBytes    = 140 // a connection in the index
	pageBytes      = 1 << 20
	presenceBatch  = 100 // users in one BatchGetItem
	readsInFlight  = 64
	slicesPerWrite = 25 // in one BatchWriteItem

	// How a read goes on that the table has no units for: fanout's own attempts
	// for a batch, with pauses up to batchPause that double; the SDK's for a
	// query, with pauses up to a second that double.
	batchAttempts = 6
	batchPause    = 40 * time.Millisecond
	queryAttempts = 3
	queryPause    = time.Second

	// doublings is how often push's pause between the attempts of a post doubles,
	// from push.FirstBackoff to push.MostBackoff.
	doublings = 3
)

// Quotas.
const (
	postsPerSecond = 10_000 // of an account in a region, shared by all its APIs
	postsAtOnce    = 5_000

	// A partition's. A table on demand starts with four partitions, and grows with
	// what it is asked for, to its quota of 40,000 read units a second. It has a
	// stream shard for each.
	readUnitsPerSecond = 3_000
	newPartitions      = 4
	grownPartitions    = 14
)

// A message that is sent comes in and is acknowledged.
const sendMessages = 2

// What a message with a clientMessageId, and less than 1 KB as an item, asks of
// the table.
var (
	sendWriteUnits = cost.SendWrites(1, true)
	sendReadUnits  = cost.SendReads(1, true)
)

// function and mapping are fanout's, as they are deployed.
var function, mapping = deployed()

func deployed() (f topology.Function, m topology.StreamMapping) {
	for _, listed := range topology.Functions() {
		if listed.Name == topology.Fanout {
			f = listed
		}
	}
	for _, listed := range topology.StreamMappings() {
		if listed.Function == topology.Fanout {
			m = listed
		}
	}
	return f, m
}

// cpu is how long a function needs for so much work of one core.
func cpu(work time.Duration) time.Duration {
	return time.Duration(float64(work) * memoryOfOneCore / float64(function.MemoryMB))
}

//go:build race

package main

// raceDetector reports whether this is built with the race detector.
const raceDetector = true

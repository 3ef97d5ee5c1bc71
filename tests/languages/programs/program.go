// One program for every question of tests/languages.rs. By hand: see README.md here.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// ownMemory is what is this process's own, in bytes, as the kernel counts it.
func ownMemory() int {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, resident, shared int
	fmt.Sscan(string(statm), &size, &resident, &shared)
	return (resident - shared) * os.Getpagesize()
}

func main() {
	words := append(os.Args[1:], "", "", "")
	switch words[0] {
	case "hello":
		var a, b int
		fmt.Scan(&a, &b)
		fmt.Println("hello", a+b)
	case "fill":
		target, _ := strconv.Atoi(words[1])
		seconds, _ := strconv.Atoi(words[2])
		var blocks [][]byte
		for ownMemory() < target {
			block := make([]byte, 1<<20)
			for n := range block {
				block[n] = 1
			}
			blocks = append(blocks, block)
		}
		fmt.Println("filled")
		time.Sleep(time.Duration(seconds) * time.Second)
		runtime.KeepAlive(blocks)
	case "garbage":
		// 1 GiB in all, of which a part is in use at any time.
		live, _ := strconv.Atoi(words[1])
		blocks := make([][]byte, live<<4)
		for n := 0; n < 1<<14; n++ {
			block := make([]byte, 1<<16)
			for at := range block {
				block[at] = 1
			}
			blocks[n%len(blocks)] = block
		}
		fmt.Println("collected")
	case "loop":
		for {
		}
	case "sleep":
		time.Sleep(time.Minute)
	case "cpus":
		fmt.Println(runtime.NumCPU())
	default:
		os.Exit(2)
	}
}

// One program for every question of tests/languages.rs. By hand: see README.md here.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;

static class Program
{
    // Bytes of memory that are this process's own, as the kernel counts them.
    static long OwnMemory()
    {
        string[] pages = File.ReadAllText("/proc/self/statm").Split(' ');
        return (long.Parse(pages[1]) - long.Parse(pages[2])) * 4096;
    }

    static int Main(string[] words)
    {
        switch (words[0])
        {
            case "hello":
                string[] numbers = Console.ReadLine().Split(' ');
                Console.WriteLine("hello {0}", long.Parse(numbers[0]) + long.Parse(numbers[1]));
                return 0;
            case "fill":
                var blocks = new List<byte[]>();
                while (OwnMemory() < long.Parse(words[1]))
                {
                    var block = new byte[1 << 20];
                    for (int n = 0; n < block.Length; n++)
                        block[n] = 1;
                    blocks.Add(block);
                }
                Console.WriteLine("filled");
                Thread.Sleep(1000 * int.Parse(words[2]));
                GC.KeepAlive(blocks);
                return 0;
            case "loop":
                for (;;) { }
            case "sleep":
                Thread.Sleep(60000);
                return 0;
            case "cpus":
                Console.WriteLine(Environment.ProcessorCount);
                return 0;
            default:
                return 2;
        }
    }
}

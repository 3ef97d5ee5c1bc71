// One program for every question of tests/languages.rs. By hand: see README.md here.
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

// Bytes of memory that are this process's own, as the kernel counts them.
static long own_memory()
{
    long size, resident, shared;
    std::ifstream("/proc/self/statm") >> size >> resident >> shared;
    return (resident - shared) * sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "hello") {
        long a, b;
        if (!(std::cin >> a >> b))
            return 3;
        std::cout << "hello " << a + b << std::endl;
    } else if (what == "fill" && argc == 4) {
        std::vector<std::vector<char>> blocks;
        while (own_memory() < std::stol(argv[2]))
            blocks.emplace_back(1 << 20, 'x');
        std::cout << "filled" << std::endl;
        std::this_thread::sleep_for(std::chrono::seconds(std::stoi(argv[3])));
    } else if (what == "loop") {
        for (volatile unsigned n = 0;; n = n + 1) {
        }
    } else if (what == "sleep") {
        std::this_thread::sleep_for(std::chrono::seconds(60));
    } else if (what == "cpus") {
        std::cout << std::thread::hardware_concurrency() << std::endl;
    } else {
        return 2;
    }
    return 0;
}

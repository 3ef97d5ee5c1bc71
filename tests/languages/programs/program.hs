-- One program for every question of tests/languages.rs. By hand: see README.md here.
import Control.Concurrent (threadDelay)
import qualified Data.ByteString as Bytes
import Data.IORef
import GHC.Conc (getNumProcessors)
import System.Environment (getArgs)
import System.Exit
import System.IO

-- Bytes of memory that are this process's own, as the kernel counts them.
ownMemory :: IO Int
ownMemory = do
  statm <- readFile "/proc/self/statm"
  let (_ : resident : shared : _) = map read (words statm)
  return ((resident - shared) * 4096)

fill :: Int -> [Bytes.ByteString] -> IO [Bytes.ByteString]
fill target blocks = do
  own <- ownMemory
  if own >= target
    then return blocks
    else do
      let block = Bytes.replicate (2 ^ 20) (fromIntegral (length blocks))
      block `seq` fill target (block : blocks)

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  arguments <- getArgs
  case arguments of
    ["hello"] -> do
      numbers <- getContents
      putStrLn ("hello " ++ show (sum (map read (words numbers)) :: Int))
    ["fill", target, seconds] -> do
      blocks <- fill (read target) []
      putStrLn "filled"
      threadDelay (read seconds * 1000000)
      length blocks `seq` return ()
    ["loop"] -> do
      count <- newIORef (0 :: Int)
      let forever = modifyIORef' count (+ 1) >> forever
      forever
    ["sleep"] -> threadDelay 60000000
    ["cpus"] -> getNumProcessors >>= print
    _ -> exitWith (ExitFailure 2)

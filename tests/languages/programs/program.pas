{ One program for every question of tests/languages.rs. By hand: see README.md here. }
program Questions;

{$mode objfpc}{$H+}

uses SysUtils;

const
  Block = 1 shl 20;

{ Bytes of memory that are this process's own, as the kernel counts them. }
function OwnMemory: Int64;
var
  Statm: Text;
  Size, Resident, Shared: Int64;
begin
  Assign(Statm, '/proc/self/statm');
  Reset(Statm);
  Read(Statm, Size, Resident, Shared);
  Close(Statm);
  OwnMemory := (Resident - Shared) * 4096;
end;

var
  A, B: Int64;
  Memory: Pointer;
begin
  case ParamStr(1) of
    'hello':
      begin
        Read(A, B);
        WriteLn('hello ', A + B);
      end;
    'fill':
      begin
        while OwnMemory < StrToInt64(ParamStr(2)) do
        begin
          GetMem(Memory, Block);
          FillChar(Memory^, Block, 1);
        end;
        WriteLn('filled');
        Flush(Output);
        Sleep(1000 * StrToInt(ParamStr(3)));
      end;
    'loop':
      while True do;
    'sleep':
      Sleep(60000);
  else
    Halt(2);
  end;
end.

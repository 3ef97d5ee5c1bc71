! One program for every question of tests/languages.rs. By hand: see README.md here.
program questions
  use, intrinsic :: iso_fortran_env, only: int64, output_unit
  implicit none

  type :: block
    character(len=1), allocatable :: bytes(:)
  end type

  character(len=32) :: what, word
  type(block), allocatable :: blocks(:)
  integer(int64) :: a, b, target
  integer :: seconds, count
  integer, volatile :: turns

  call get_command_argument(1, what)
  select case (what)
  case ('hello')
    read (*, *) a, b
    print '(a, i0)', 'hello ', a + b
  case ('fill')
    call get_command_argument(2, word)
    read (word, *) target
    call get_command_argument(3, word)
    read (word, *) seconds
    allocate (blocks(65536))
    count = 0
    do while (own_memory() < target)
      count = count + 1
      allocate (blocks(count)%bytes(2**20))
      blocks(count)%bytes = 'x'
    end do
    print '(a)', 'filled'
    flush (output_unit)
    call sleep(seconds)
  case ('loop')
    turns = 0
    do
      turns = ieor(turns, 1)
    end do
  case ('sleep')
    call sleep(60)
  case default
    call exit(2)
  end select

contains

  ! Bytes of memory that are this process's own, as the kernel counts them.
  integer(int64) function own_memory()
    integer(int64) :: size, resident, shared
    integer :: statm
    open (newunit=statm, file='/proc/self/statm', action='read', status='old')
    read (statm, *) size, resident, shared
    close (statm)
    own_memory = (resident - shared) * 4096
  end function

end program

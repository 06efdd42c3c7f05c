# Included by CTest after the test cases it discovered. Without figures of an earlier run it starts
# those with the highest COST first, so that the longest do not run alone at the end. Seconds of
# processor time, roughly; what is not listed is short.
set(sagejit_costs
    "a cluster of two CTAs gives the same bits for every kind of value" 60
    "shapes that broke others" 45
    "every kind of spec is right on ragged shapes" 40
    "random cases agree with all oracles" 35
    "a cluster of two CTAs gives the same bits as none" 35
    "every kind of fp8 spec is right on ragged shapes" 30
    "every kind of wgmma spec is right on ragged shapes" 28
    "random wgmma cases agree with all oracles" 26
    "random fp8 cases agree with all oracles" 26
    "NaN reaches just the rows that fp64 attention says" 16
    "NaN reaches just those rows by wgmma" 12
    "NaN reaches just those rows with values in fp8" 10
    "NaN and Inf come out of a cluster as without" 8)
while(sagejit_costs)
  list(POP_FRONT sagejit_costs name cost)
  foreach(suite host asan tsan)
    list(FIND ${suite}_tests_TESTS "${suite}:${name}" place)
    if(place GREATER_EQUAL 0)
      set_tests_properties("${suite}:${name}" PROPERTIES COST ${cost})
    endif()
  endforeach()
endwhile()
